import { setTimeout as sleep } from 'node:timers/promises';
import { DispatcherProcess, type DispatcherOptions } from './dispatcher-process.js';
import type { ProbeTimings, RolloutTimings } from './rollout-timings.js';

/** How a pod ended. `tookMs` counts from SIGTERM. */
export interface PodEnd {
  readonly code: number | null;
  readonly killed: boolean;
  readonly tookMs: number;
  /** Whether it had a job when it was told to end. */
  readonly inMidJob: boolean;
}

/** One replica, probed and ended as a kubelet does. `onChange` is called when it becomes ready or stops being so. */
export class Pod {
  private readonly retired = new AbortController();
  private readySince: number | null = null;
  /** What the last probe that did not pass was answered. */
  private trouble = 'it was not probed yet';
  private probing: Promise<void> = Promise.resolve();

  private constructor(
    readonly app: DispatcherProcess,
    private readonly timings: RolloutTimings,
    private readonly onChange: () => void,
  ) {}

  static async start(options: DispatcherOptions, timings: RolloutTimings, onChange: () => void): Promise<Pod> {
    const pod = new Pod(await DispatcherProcess.start({ ...options, listening: false }), timings, onChange);
    pod.probing = pod.probe();
    return pod;
  }

  /** Among the endpoints of the Service. */
  get ready(): boolean {
    return this.readySince !== null && !this.retired.signal.aborted;
  }

  /** Ready for as long as the Deployment wants it before it goes on. */
  get available(): boolean {
    return this.ready && performance.now() - (this.readySince ?? 0) >= this.timings.minReadyMs;
  }

  /** For whoever waits in vain for it to become available. */
  get state(): string {
    if (this.readySince === null) return `not ready: ${this.trouble}`;
    return `ready for ${Math.round(performance.now() - this.readySince)} ms; the last trouble: ${this.trouble}`;
  }

  /** preStop, SIGTERM, and SIGKILL when the grace, which counts from the beginning of preStop, is over. */
  async terminate(hasJob: (pid: number) => Promise<boolean>): Promise<PodEnd> {
    this.retired.abort();
    this.onChange();
    const { child } = this.app;
    const kill = setTimeout(() => child.kill('SIGKILL'), this.timings.graceMs);
    await sleep(this.timings.preStopMs);
    const inMidJob = await hasJob(child.pid ?? 0);
    const since = performance.now();
    const code = await this.app.end('SIGTERM');
    clearTimeout(kill);
    await this.probing;
    return { code, killed: child.signalCode === 'SIGKILL', tookMs: performance.now() - since, inMidJob };
  }

  async dispose(): Promise<void> {
    this.retired.abort();
    await this.app.dispose();
    await this.probing;
  }

  private async probe(): Promise<void> {
    const { startup, readiness } = this.timings;
    let failures = 0;
    for await (const passed of this.results(startup)) {
      if (passed) break;
      if (++failures >= startup.failureThreshold) return void this.app.child.kill('SIGKILL');
    }
    for await (const passed of this.results(readiness)) {
      failures = passed ? 0 : failures + 1;
      if (passed) this.become(this.readySince ?? performance.now());
      else if (failures >= readiness.failureThreshold) this.become(null);
    }
  }

  /** Asks once every period until the pod is retired. */
  private async *results(probe: ProbeTimings): AsyncGenerator<boolean, void, void> {
    const { signal } = this.retired;
    while (!signal.aborted) {
      const period = sleep(probe.periodMs, undefined, { signal }).catch(() => undefined);
      yield await this.passes(probe);
      await period;
    }
  }

  private async passes({ path, timeoutMs }: ProbeTimings): Promise<boolean> {
    try {
      const reply = await fetch(this.app.origin + path, { signal: AbortSignal.timeout(timeoutMs) });
      const text = await reply.text();
      if (!reply.ok) this.trouble = text;
      return reply.ok;
    } catch (error) {
      this.trouble = String(error);
      return false;
    }
  }

  private become(readySince: number | null): void {
    const changed = (readySince === null) !== (this.readySince === null);
    this.readySince = readySince;
    if (changed) this.onChange();
  }
}
