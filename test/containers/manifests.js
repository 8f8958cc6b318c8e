// What deploy/kubernetes promises, as far as it can be seen without a cluster.

/* oxlint-disable typescript/no-floating-promises -- the test runner waits for its tests */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { typeProblems, unknownFields } from './kubernetes-types.js';
import { podsOf, select } from './manifest-parts.js';
import { render } from './render.js';

/** The process ends by itself this long after SIGTERM. */
const SHUTDOWN_SECONDS = 15;
/** Six tries at PostgreSQL of at most 5 s each, with 1, 2, 4, 8 and 16 s between them. */
const CONNECT_SECONDS = 61;

const folder = fileURLToPath(new URL('../../deploy/kubernetes/', import.meta.url));

test('the checks find a wrong type, a missing field and an unknown field', async () => {
  const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'x' } };
  assert.match((await typeProblems({ ...budget, spec: { selector: 'all' } })) ?? '', /selector/);
  assert.match(
    (await typeProblems({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' }, spec: {} })) ?? '',
    /template/,
  );
  assert.match(await unknownFields([{ ...budget, spec: { maxUnavailible: 1 } }]), /maxUnavailible/);
});

for (const name of ['base', 'overlays/example']) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the first test proves it
  const manifests = /** @type {import('./manifest-parts.js').Manifest[]} */ (await render(folder + name));
  const pods = podsOf(manifests);

  test(`${name}: every manifest has the types and the required fields of its kind`, async () => {
    const problems = await Promise.all(manifests.map(typeProblems));
    assert.deepEqual(
      problems.filter((problem) => problem !== null),
      [],
    );
  });

  test(`${name}: no manifest has a field that its kind does not know`, async () => {
    assert.equal(await unknownFields(manifests), '');
  });

  test(`${name}: what is referred to is there; the Secret alone comes from elsewhere`, () => {
    const accounts = select(manifests, 'ServiceAccount').map(({ metadata }) => metadata.name);
    const maps = select(manifests, 'ConfigMap').map(({ metadata }) => metadata.name);
    for (const { spec } of pods) {
      assert.ok(accounts.includes(spec.serviceAccountName), spec.serviceAccountName);
      for (const { envFrom, env } of spec.containers) {
        assert.equal(env, undefined);
        assert.deepEqual(
          envFrom.map((source) => source.secretRef?.name ?? maps.indexOf(source.configMapRef?.name ?? '')),
          [0, 'message-dispatcher'],
        );
      }
    }
    assert.deepEqual(select(manifests, 'Secret'), []);
  });

  test(`${name}: every selector means the pods of one template`, () => {
    const selectors = [
      ...select(manifests, 'Service').map(({ spec }) => spec?.selector),
      ...select(manifests, 'PodDisruptionBudget').map(({ spec }) => spec?.selector?.matchLabels),
      ...select(manifests, 'NetworkPolicy').map(({ spec }) => spec?.podSelector?.matchLabels),
      ...pods.flatMap(({ spec }) =>
        (spec.topologySpreadConstraints ?? []).map((rule) => rule.labelSelector.matchLabels),
      ),
    ];
    assert.equal(selectors.length, 6);
    for (const selector of selectors) {
      const wanted = Object.entries(selector ?? {});
      const meant = pods.filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels[key] === value));
      assert.equal(meant.length, 1, JSON.stringify(selector));
    }
  });

  test(`${name}: the pods keep to the restricted profile and have no token`, () => {
    assert.equal(pods.length, 2);
    for (const { spec } of pods) {
      assert.equal(spec.automountServiceAccountToken, false);
      assert.equal(spec.securityContext.runAsNonRoot, true);
      assert.deepEqual(spec.securityContext.seccompProfile, { type: 'RuntimeDefault' });
      for (const { securityContext, resources } of spec.containers) {
        assert.equal(securityContext.allowPrivilegeEscalation, false);
        assert.equal(securityContext.readOnlyRootFilesystem, true);
        assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] });
        assert.ok(resources.requests['cpu'] && resources.requests['memory'] && resources.limits['memory']);
      }
    }
  });

  test(`${name}: probes and times leave room for a slow start and for the drain`, () => {
    const dispatcher = pods.find(({ metadata }) => metadata.labels['app.kubernetes.io/component'] === 'dispatcher');
    const [container] = dispatcher?.spec.containers ?? [];
    assert.ok(dispatcher && container);
    const { startupProbe, livenessProbe, readinessProbe, lifecycle } = container;
    assert.equal(startupProbe?.httpGet.path, '/health');
    assert.equal(livenessProbe?.httpGet.path, '/health/live');
    assert.equal(readinessProbe?.httpGet.path, '/health/ready');
    assert.ok(startupProbe.periodSeconds * startupProbe.failureThreshold > CONNECT_SECONDS);
    const grace = dispatcher.spec.terminationGracePeriodSeconds ?? 0;
    assert.ok(grace > (lifecycle?.preStop.sleep.seconds ?? 0) + SHUTDOWN_SECONDS, `${grace} s`);
  });

  test(`${name}: the migration is the same image with another command`, () => {
    const images = new Set(pods.flatMap(({ spec }) => spec.containers.map(({ image }) => image)));
    assert.equal(images.size, 1);
    const [job] = podsOf(select(manifests, 'Job'));
    assert.deepEqual(job?.spec.containers[0]?.command, ['node', 'dist/src/migrate.js']);
  });
}
