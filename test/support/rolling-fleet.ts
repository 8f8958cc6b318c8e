import type { DispatcherOptions } from './dispatcher-process.js';
import { eventually } from './eventually.js';
import { Pod, type PodEnd } from './pod.js';
import type { RolloutTimings } from './rollout-timings.js';
import { ServiceFront } from './service-front.js';

/** In which a pod must have become available, on a machine that has much else to do. */
const AVAILABLE_WITHIN_MS = 60_000;

export interface FleetOptions extends DispatcherOptions {
  /** How late the Service hears of a change. */
  readonly lagMs: number;
  /** Whether the process with this id has a job. */
  readonly hasJob: (pid: number) => Promise<boolean>;
}

/** Replicas behind a Service, replaced as a Deployment with the strategy RollingUpdate replaces them. */
export class RollingFleet {
  private pods: Pod[] = [];
  private readonly leaving: Pod[] = [];
  /** The fewest pods that were ready at once since the last rollout began. */
  fewestReady = 0;

  private constructor(
    readonly timings: RolloutTimings,
    readonly service: ServiceFront,
    private readonly options: FleetOptions,
  ) {}

  /** Resolves when every replica is available and the Service leads to it. */
  static async start(timings: RolloutTimings, options: FleetOptions): Promise<RollingFleet> {
    const fleet = new RollingFleet(timings, await ServiceFront.start(options.lagMs), options);
    try {
      while (fleet.pods.length < timings.replicas) await fleet.add();
      await fleet.untilAvailable(timings.replicas);
      await eventually(async () => {
        const reply = await fetch(`${fleet.service.origin}/health`);
        if (!reply.ok) throw new Error(`the Service answers ${reply.status}`);
      });
    } catch (error) {
      await fleet.dispose();
      throw error;
    }
    return fleet;
  }

  /** Replaces every replica by a new process; resolves with how the old ones ended, when all have. */
  async rollOut(): Promise<PodEnd[]> {
    const { replicas, maxSurge, maxUnavailable } = this.timings;
    const old = [...this.pods];
    const ends: Promise<PodEnd>[] = [];
    this.fewestReady = this.readyCount;
    for (const pod of old) {
      const fresh = () => this.pods.filter((each) => !old.includes(each)).length;
      while (this.pods.length < replicas + maxSurge && fresh() < replicas) await this.add();
      await this.untilAvailable(replicas - maxUnavailable + 1);
      this.pods = this.pods.filter((each) => each !== pod);
      this.leaving.push(pod);
      ends.push(pod.terminate(this.options.hasJob));
    }
    return await Promise.all(ends);
  }

  async dispose(): Promise<void> {
    await this.service.stop();
    await Promise.all([...this.pods, ...this.leaving].map((pod) => pod.dispose()));
  }

  private async add(): Promise<void> {
    this.pods.push(await Pod.start(this.options, this.timings, () => this.onChange()));
  }

  private get readyCount(): number {
    return this.pods.filter(({ ready }) => ready).length;
  }

  private onChange(): void {
    this.fewestReady = Math.min(this.fewestReady, this.readyCount);
    this.service.announce(this.pods.filter(({ ready }) => ready).map(({ app }) => app.origin));
  }

  private async untilAvailable(count: number): Promise<void> {
    await eventually(() => {
      const available = this.pods.filter((pod) => pod.available).length;
      if (available >= count) return;
      const states = this.pods.map(({ state }) => state);
      throw new Error(`${available} pods are available, not ${count}:\n${states.join('\n')}`);
    }, AVAILABLE_WITHIN_MS);
  }
}
