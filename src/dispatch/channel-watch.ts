import type { ProbeWish } from '../messages/message-claims.js';
import type { Delivery } from './delivery.js';

/** So many different messages in a row with answers that may be the fault of the way. */
const SUSPECT_AFTER = 3;
/** So many with any other outcome that is neither an acceptance nor a refusal. */
const FAILING_AFTER = 10;
/** So many messages from elsewhere must fare the same before it counts as the fault of the way. */
const PROBES = 3;
/**
 * Where answers come that cost nothing, and a message was accepted in one of the latest jobs, the rows may be so much longer
 * and are probed so often: most of the messages may be bad, in any order.
 */
const MIXED_TOLERANCE = 8;
const MIXED_PROBES = 10;
const MIXED_JOBS = 10;
/** So many recipients that fared badly are remembered for the choice of probes. */
const KNOWN_RECIPIENTS = 32;
/** Connections that cannot be made count as the fault of the way when several tries in a row failed, over so long at least. */
const UNCONNECTED_MS = 2_000;
const UNCONNECTED_TRIES = 2;
/** The next try comes so much later until then. */
const UNCONNECTED_PAUSE_MS = 500;
/** How much longer the rows may get where probes keep telling that the way works. */
const LARGEST_TOLERANCE = 16;

/** Where a request went, and with which key. */
export interface Target {
  readonly url: string;
  readonly authKey: string | null;
}

type Bad = Exclude<Delivery, { readonly outcome: 'accepted' | 'refused' }>;

/**
 * Tells trouble of the way to the receiver from trouble of single messages: by how the others fare. A row of messages to
 * different recipients that fare badly is a suspicion; then a message from far away is sent, alone: a probe. If one gets through, the
 * trouble is of those messages, and the job goes on with them; if none does, it is of the way, and jobs end early, each after
 * a probe, until one gets through. The row lives on from job to job, so that it works with one message per job too.
 *
 * In memory, per process: a restart forgets it. Holds a few hundred recipients at most. Times are milliseconds of a monotonic clock.
 */
export class ChannelWatch {
  private target: Target = { url: '', authKey: null };
  private readonly suspects = new Set<string>();
  private readonly failing = new Set<string>();
  private readonly askers = new Set<string>();
  private readonly known = new Set<string>();
  private tolerance = 1;
  private probesLeft = 0;
  private probesMade = 0;
  private isDown = false;
  private latest: Bad | null = null;
  private latestAcceptance = -Infinity;
  private jobsSinceAcceptance = Infinity;
  private askedToWaitUntil = -Infinity;
  /** The tries in a row that found no connection, and when the first of them began. */
  private unconnected = { tries: 0, since: 0 };

  /** Names where the next request goes. What was learned of another target, or with another key, counts no more. */
  aim(url: string, authKey: string | null): Target {
    if (this.target.url === url && this.target.authKey === authKey) return this.target;
    this.target = { url, authKey };
    this.forget();
    this.latestAcceptance = -Infinity;
    this.jobsSinceAcceptance = Infinity;
    return this.target;
  }

  /** The way may be mended: what was learned of it counts no more. */
  forget(): void {
    this.trust();
    this.tolerance = 1;
  }

  /** A new job tries the way that was in trouble with a probe: several where an answer came, for it may still be the message's. */
  beginJob(now: number): void {
    this.jobsSinceAcceptance += 1;
    if (!this.isDown) return;
    this.probesLeft = !this.isWaiting(now) && this.isAnswered ? PROBES : 1;
  }

  /** Whether the next request must be a probe, alone in flight. */
  get wantsProbe(): boolean {
    return this.probesLeft > 0;
  }

  /**
   * Where in the backlog to take the probe from: 0 is the oldest message, 1 the newest. The newest ones are the farthest from
   * a row at the head; they may be as bad, so only one probe in four is one of them, and the others are taken from anywhere.
   */
  probePlace(random: number): number {
    return this.probesMade % 4 === 0 ? 1 : random;
  }

  /**
   * Which message to probe with: of both kinds in turn, so that bad ones of one kind do not keep good ones of the other back,
   * and to a recipient that has not fared badly. While the receiver asks to wait, to no other: it may have spoken of those.
   */
  probeWish(now: number): ProbeWish {
    return { retryFirst: this.probesMade % 2 === 1, known: [...this.known], othersOnly: this.isWaiting(now) };
  }

  /** Whether one message may be tried while the receiver asks to wait: so many that ask the same speak for all. */
  get mayTryOthers(): boolean {
    return this.known.size < KNOWN_RECIPIENTS;
  }

  /** Whether messages fare badly one after another, so that no outcome is held against a single one. */
  get suspected(): boolean {
    return this.isDown || this.wantsProbe;
  }

  /** What the way suffers from, for people; null: nothing is known. */
  get trouble(): string | null {
    if (!this.isDown || this.latest === null) return null;
    return this.latest.outcome === 'channel'
      ? `the channel is in trouble: ${this.latest.error}`
      : `the receiver keeps failing: ${this.latest.error}`;
  }

  /** What may be the way's trouble or the trouble of few messages: nothing has got through since. null: something has. */
  get doubt(): string | null {
    const { latest } = this;
    if (latest === null) return null;
    if (this.trouble !== null) return this.trouble;
    const count = this.failing.size;
    return count === 1
      ? `the latest message did not get through: ${latest.error}`
      : `none of the messages to the latest ${count} recipients got through: ${latest.error}`;
  }

  /** Until when the receiver asked to be left alone, on the wall clock, to a second; null: it does not ask for that. */
  waitUntil(wallMs: number, now: number): string | null {
    if (!this.isWaiting(now)) return null;
    const until = Math.round((wallMs + this.askedToWaitUntil - now) / 1000) * 1000;
    return new Date(until).toISOString().replace('.000', '');
  }

  /** How long ago a message was accepted; Infinity: none was since the latest trouble of the way. */
  acceptedAgoMs(now: number): number {
    return now - this.latestAcceptance;
  }

  /** Notes how a message to `recipient` fared whose request began at `startedAt`. */
  note(recipient: string, delivery: Delivery, target: Target, isProbe: boolean, startedAt: number, now: number): void {
    if (target !== this.target) return;
    // The way worked while no answer came to this one. Requests that hang end together, and would look like a row.
    if (delivery.outcome !== 'accepted' && !isUnreadable(delivery) && this.latestAcceptance > startedAt && !isProbe)
      return;
    if (delivery.outcome === 'accepted' || delivery.outcome === 'refused') {
      if (delivery.outcome === 'accepted') {
        this.latestAcceptance = now;
        this.jobsSinceAcceptance = 0;
      }
      if (this.latest === null) return;
      if (isProbe && !this.isDown) this.tolerance = Math.min(2 * this.tolerance, LARGEST_TOLERANCE);
      return this.trust();
    }
    this.latest = delivery;
    this.noteConnection(startedAt);
    this.failing.add(recipient);
    if (this.known.size < KNOWN_RECIPIENTS) this.known.add(recipient);
    if (asksToWait(delivery) && this.askers.size < SUSPECT_AFTER) this.askers.add(recipient);
    if (delivery.outcome === 'channel' || asksToWait(delivery) || isUnreadable(delivery)) this.suspects.add(recipient);
    if (isProbe && this.wantsProbe) {
      this.probesLeft -= 1;
      this.probesMade += 1;
      if (this.probesLeft > 0) return;
      if (this.isUnconnected && !this.isDown && !this.isLongUnconnected(now)) this.probesLeft = 1;
      else this.distrust(delivery, now);
    } else if (!this.suspected && this.isLongUnconnected(now)) this.distrust(delivery, now);
    else if (!this.suspected && this.isRow) this.probesLeft = this.isMixed ? MIXED_PROBES : PROBES;
  }

  /** How long to wait before the next probe: a connection that cannot be made may be there a moment later. */
  get probePauseMs(): number {
    return this.isUnconnected && !this.isDown ? UNCONNECTED_PAUSE_MS : 0;
  }

  private get isUnconnected(): boolean {
    return isUnconnected(this.latest);
  }

  private noteConnection(startedAt: number): void {
    const { unconnected } = this;
    if (!this.isUnconnected) unconnected.tries = 0;
    else if ((unconnected.tries += 1) === 1) unconnected.since = startedAt;
  }

  private isLongUnconnected(now: number): boolean {
    const { tries, since } = this.unconnected;
    return tries >= UNCONNECTED_TRIES && now - since >= UNCONNECTED_MS;
  }

  private get isRow(): boolean {
    const { suspects, failing } = this;
    const tolerance = this.isMixed ? Math.max(this.tolerance, MIXED_TOLERANCE) : this.tolerance;
    return suspects.size >= SUSPECT_AFTER * tolerance || failing.size >= FAILING_AFTER * tolerance;
  }

  private get isAnswered(): boolean {
    return this.latest?.outcome === 'channel' && this.latest.status !== null;
  }

  private get isMixed(): boolean {
    return this.isAnswered && this.jobsSinceAcceptance <= MIXED_JOBS;
  }

  private isWaiting(now: number): boolean {
    return now < this.askedToWaitUntil;
  }

  private distrust(delivery: Bad, now: number): void {
    this.isDown = true;
    this.tolerance = 1;
    this.latestAcceptance = -Infinity;
    this.jobsSinceAcceptance = Infinity;
    // One recipient may have a limit of its own; and a probe while it lasts does not prolong it.
    if (asksToWait(delivery) && this.askers.size >= SUSPECT_AFTER && !this.isWaiting(now))
      this.askedToWaitUntil = now + (delivery.retryAfterMs ?? 0);
    // Only how many there were is of use from now on, and a long trouble has many.
    this.suspects.clear();
    this.failing.clear();
  }

  private trust(): void {
    this.suspects.clear();
    this.failing.clear();
    this.askers.clear();
    this.known.clear();
    this.probesLeft = 0;
    this.probesMade = 0;
    this.isDown = false;
    this.latest = null;
    this.unconnected.tries = 0;
    this.askedToWaitUntil = -Infinity;
  }
}

function isUnreadable(delivery: Delivery): boolean {
  return delivery.outcome === 'uncertain' && delivery.isUnreadable === true;
}

/** Whether no connection could be made, so that no request left. */
function isUnconnected(delivery: Pick<Delivery, 'outcome' | 'status'> | null): boolean {
  return delivery?.outcome === 'channel' && delivery.status === null;
}

function asksToWait(delivery: Bad): delivery is Extract<Bad, { readonly outcome: 'unavailable' }> {
  return delivery.outcome === 'unavailable' && delivery.retryAfterMs !== null;
}
