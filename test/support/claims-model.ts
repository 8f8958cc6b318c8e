import type { Settlement } from '../../src/messages/message-settlements.js';

/** One who believes to own a job; whether it does, the job's fence tells. */
export interface Claimer {
  readonly job: ModelJob;
  readonly fence: number;
  /** What it was given and has not settled, as far as it knows. */
  readonly held: Set<number>;
}

export interface ModelJob {
  readonly id: number;
  readonly budget: number;
  claimed: number;
  fence: number;
  horizon: number | null;
  /** The owner under this fence has released and claims nothing any more. */
  closedFence: number | null;
}

export interface ModelMessage {
  readonly id: number;
  sent: boolean;
  parkedAs: 'failed' | 'uncertain' | null;
  /** `over`: the pause is over and the next job that opens makes the message sendable. */
  pause: 'none' | 'over' | 'long';
  claim: { readonly job: number; readonly fence: number } | null;
}

/** What the tables must hold, by the promises of `MessageClaims` alone. */
export class ClaimsModel {
  readonly messages = new Map<number, ModelMessage>();
  readonly jobs: ModelJob[] = [];
  readonly claimers: Claimer[] = [];
  running = true;

  isLive({ job, fence }: Claimer): boolean {
    return job.fence === fence;
  }

  mayClaim(claimer: Pick<Claimer, 'job' | 'fence'>): boolean {
    return claimer.job.fence === claimer.fence && claimer.job.closedFence !== claimer.fence;
  }

  get live(): Claimer[] {
    return this.claimers.filter((claimer) => this.isLive(claimer));
  }

  open(claimer: Claimer): void {
    for (const message of this.messages.values()) {
      if (!message.sent && message.pause === 'over') message.pause = 'none';
    }
    if (this.isLive(claimer)) claimer.job.horizon ??= Math.max(0, ...this.messages.keys());
  }

  /** Messages that nobody has and that may be sent, oldest first. */
  get sendable(): number[] {
    return [...this.messages.values()]
      .filter(({ sent, parkedAs, pause, claim }) => !sent && parkedAs === null && pause === 'none' && claim === null)
      .map(({ id }) => id)
      .toSorted((a, b) => a - b);
  }

  /** The ids that a claim must yield when nobody else claims at the same time. */
  claimable({ job, fence }: Claimer, limit: number): number[] {
    if (!this.running || !this.mayClaim({ job, fence })) return [];
    return this.sendable.filter((id) => id <= (job.horizon ?? 0)).slice(0, Math.min(limit, job.budget - job.claimed));
  }

  claimed(claimer: Claimer, ids: readonly number[]): void {
    claimer.job.claimed += ids.length;
    for (const id of ids) {
      this.message(id).claim = { job: claimer.job.id, fence: claimer.fence };
      claimer.held.add(id);
    }
  }

  owns({ job, fence }: Claimer, id: number): boolean {
    const claim = this.messages.get(id)?.claim;
    return claim?.job === job.id && claim.fence === fence;
  }

  /** Returns the ids that the claimer may settle. */
  settle(claimer: Claimer, settlements: readonly Settlement[]): number[] {
    const settled = settlements.filter(({ id }) => this.owns(claimer, id));
    for (const { id, state, delayMs, attempt } of settled) {
      const message = this.message(id);
      message.claim = null;
      if (attempt === null && this.isLive(claimer)) claimer.job.claimed -= 1;
      if (message.sent) continue;
      message.sent = state === 'sent';
      message.parkedAs = state === 'failed' || state === 'uncertain' ? state : null;
      if (state === 'waiting' && delayMs !== null) message.pause = delayMs === 0 ? 'over' : 'long';
    }
    for (const { id } of settlements) claimer.held.delete(id);
    return settled.map(({ id }) => id);
  }

  giveBack(claimer: Claimer, ids: readonly number[]): void {
    for (const id of ids) claimer.held.delete(id);
    if (!this.mayClaim(claimer)) return;
    claimer.job.claimed -= ids.length;
    for (const id of ids) if (this.owns(claimer, id)) this.message(id).claim = null;
  }

  release(claimer: Claimer): void {
    claimer.held.clear();
    if (!this.isLive(claimer)) return;
    claimer.job.closedFence = claimer.fence;
    for (const message of this.messages.values()) {
      if (message.sent || !this.owns(claimer, message.id)) continue;
      message.claim = null;
      claimer.job.claimed -= 1;
    }
  }

  /** The job has its next owner. */
  succeed(job: ModelJob): Claimer {
    job.fence += 1;
    const claimer = { job, fence: job.fence, held: new Set<number>() };
    this.claimers.push(claimer);
    return claimer;
  }

  /** Returns the ids that the new owner must get: what earlier ones left. */
  takeOver(claimer: Claimer): number[] {
    const taken = [...this.messages.values()].filter(
      ({ sent, claim }) => !sent && claim?.job === claimer.job.id && claim.fence < claimer.fence,
    );
    for (const message of taken) {
      message.claim = { job: claimer.job.id, fence: claimer.fence };
      claimer.held.add(message.id);
    }
    return taken.map(({ id }) => id).toSorted((a, b) => a - b);
  }

  message(id: number): ModelMessage {
    const message = this.messages.get(id);
    if (message === undefined) throw new Error(`there is no message ${id}`);
    return message;
  }
}
