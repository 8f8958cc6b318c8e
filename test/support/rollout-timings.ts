import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

const probe = z
  .object({
    httpGet: z.object({ path: z.string() }),
    periodSeconds: z.number(),
    timeoutSeconds: z.number(),
    failureThreshold: z.number(),
  })
  .transform(({ httpGet, periodSeconds, timeoutSeconds, failureThreshold }) => ({
    path: httpGet.path,
    periodMs: periodSeconds * 1000,
    timeoutMs: timeoutSeconds * 1000,
    failureThreshold,
  }));

const deployment = z.object({
  spec: z.object({
    strategy: z.object({ rollingUpdate: z.object({ maxSurge: z.int(), maxUnavailable: z.int() }) }),
    minReadySeconds: z.number(),
    template: z.object({
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([
          z.object({
            startupProbe: probe,
            readinessProbe: probe,
            lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }),
          }),
        ]),
      }),
    }),
  }),
});

const overlay = z.object({ replicas: z.tuple([z.object({ count: z.int() })]) });

export type ProbeTimings = z.output<typeof probe>;

/** What a Deployment says of how its pods are replaced. */
export interface RolloutTimings {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly minReadyMs: number;
  readonly startup: ProbeTimings;
  readonly readiness: ProbeTimings;
  readonly preStopMs: number;
  readonly graceMs: number;
}

/**
 * The timings of the Deployment in deploy/kubernetes, with as many replicas as its example overlay asks for.
 * @throws when one of them is not written there: Kubernetes' defaults are not assumed.
 */
export async function readRolloutTimings(): Promise<RolloutTimings> {
  const { spec } = deployment.parse(parse(await readFile('deploy/kubernetes/base/deployment.yaml', 'utf8')));
  const example = await readFile('deploy/kubernetes/overlays/example/kustomization.yaml', 'utf8');
  const pod = spec.template.spec;
  const [container] = pod.containers;
  return {
    replicas: overlay.parse(parse(example)).replicas[0].count,
    ...spec.strategy.rollingUpdate,
    minReadyMs: spec.minReadySeconds * 1000,
    startup: container.startupProbe,
    readiness: container.readinessProbe,
    preStopMs: container.lifecycle.preStop.sleep.seconds * 1000,
    graceMs: pod.terminationGracePeriodSeconds * 1000,
  };
}
