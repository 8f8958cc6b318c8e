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
  /** Retries whose pause ended later are the next job's; microseconds of the database's clock, read from the table. */
  retryHorizon: number | null;
  /** The owner under this fence has released and claims nothing any more. */
  closedFence: number | null;
}

export interface ModelMessage {
  readonly id: number;
  sent: boolean;
  parkedAs: 'failed' | 'uncertain' | null;
  pause: 'none' | 'over' | 'long';
  /** The end of its pause, read from the table. */
  dueAt: number | null;
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
    if (this.isLive(claimer)) claimer.job.horizon ??= Math.max(0, ...this.messages.keys());
  }

  /** Messages that nobody has and that may be sent as far as the job is concerned: fresh ones by id, retries by their pauses. */
  sendable({ horizon, retryHorizon }: ModelJob): { readonly fresh: number[]; readonly retries: number[] } {
    const free = [...this.messages.values()].filter(
      ({ sent, parkedAs, claim }) => !sent && parkedAs === null && claim === null,
    );
    const fresh = free
      .filter(({ id, dueAt }) => dueAt === null && id <= (horizon ?? 0))
      .toSorted((a, b) => a.id - b.id);
    const retries = free
      .filter(({ dueAt }) => dueAt !== null && dueAt <= (retryHorizon ?? 0))
      .toSorted((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || a.id - b.id);
    return { fresh: fresh.map(({ id }) => id), retries: retries.map(({ id }) => id) };
  }

  /** The ids that a claim must yield when nobody else claims at the same time; at most half are retries. */
  claimable({ job, fence }: Claimer, limit: number): number[] {
    if (!this.running || !this.mayClaim({ job, fence })) return [];
    const wanted = Math.min(limit, job.budget - job.claimed);
    const { fresh, retries } = this.sendable(job);
    const places = Array.from({ length: wanted }, (_, index) => job.id + job.claimed + index + 1);
    const due = retries.slice(0, places.filter((place) => place % 2 === 1).length);
    return [...due, ...fresh.slice(0, wanted - due.length)].toSorted((a, b) => a - b);
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
      // One that is to be sent again at once stays what it was: a fresh one, or a retry that is due.
      if (state !== 'waiting') message.pause = 'none';
      else if (delayMs !== null) message.pause = delayMs === 0 ? 'over' : 'long';
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
