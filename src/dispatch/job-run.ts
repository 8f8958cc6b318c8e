import type { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveConfig } from '../config/live-config.js';
import type { ClaimedMessage, MessageClaims } from '../messages/message-claims.js';
import { contentFault, phoneFault } from '../messages/message-rules.js';
import { isRefunded, type Settlement } from '../messages/message-settlements.js';
import type { Job, JobReport } from '../scheduler/job.js';
import type { ChannelWatch, Target } from './channel-watch.js';
import { ClaimCursor, type LockedStretches } from './claim-cursor.js';
import type { ClaimFaults } from './claim-faults.js';
import { ClaimedQueue } from './claimed-queue.js';
import type { ConcurrencyWindow } from './concurrency-window.js';
import { classify, excerptOf, type Answer, type Delivery, type NoAnswer } from './delivery.js';
import type { Elsewhere } from './elsewhere.js';
import { Flight } from './flight.js';
import { idempotencyKey, messageHash } from './idempotency-key.js';
import type { InvalidParker } from './invalid-parker.js';
import { JobParking } from './job-parking.js';
import { JobTally } from './job-tally.js';
import { settleInvalid, settleOutcome } from './settle-outcome.js';
import type { Settler } from './settler.js';
import type { WebhookClient } from './webhook.client.js';

/**
 * The next claim is made when fewer than `ahead` messages wait: twice as many as were sent while the last claim took place,
 * or, when they did not last so long, twice as many as then. A fast receiver does not wait for claims, and with a slow one
 * few messages are in doubt after a crash.
 */
const AHEAD_MIN = 2;
/** More makes nothing faster, not even where 12,000 a second leave; each one is in doubt after a crash. */
const AHEAD_MAX = 100;

/** Of 1,000 messages, then of 50,000 each. */
const HEAD_LOOKS = 5;

/** What a run works with; one object, made by the dispatcher for each job. */
export interface RunParts {
  readonly claims: MessageClaims;
  readonly stretches: LockedStretches;
  readonly claimFaults: ClaimFaults;
  readonly parker: InvalidParker;
  readonly client: WebhookClient;
  readonly live: LiveConfig;
  readonly window: ConcurrencyWindow;
  readonly watch: ChannelWatch;
  readonly elsewhere: Elsewhere;
  /** Why only a probe is sent, if the receiver asked to wait. */
  readonly waitNote: string | null;
  readonly logger: Logger;
  readonly installationId: string;
  /** Called when a run that trails got an answer: there is room for the others. */
  readonly onRoom: () => void;
  readonly makeSettler: (onWritten: (batch: readonly Settlement[]) => void) => Settler;
}

/**
 * One job's way: claiming the next batch, sending, and settling overlap, so that the sockets never wait for the database.
 * The first batch is claimed before the slot's time, and sent from then on.
 * It ends when the budget is spent, nothing is left, the channel is in trouble or the job winds down; then what is in
 * flight finishes, what was claimed but not sent is given back, and every outcome is written.
 */
export class JobRun {
  readonly tally: JobTally;
  private readonly settler: Settler;
  private readonly queue = new ClaimedQueue();
  private readonly flight: Flight;
  /** The message with which the way is being probed. */
  private probe: number | null = null;
  private claiming = false;
  private claims: Promise<void> = Promise.resolve();
  /** How often something came back on the budget. */
  private refunds = 0;
  private readonly cursor: ClaimCursor;
  private readonly parking: JobParking;
  private ahead = AHEAD_MIN;
  private ranDry = false;
  private metInvalid = false;
  private claimsLeft = false;
  private endedBy: string | null = null;
  private over = false;
  private turnEnd: NodeJS.Immediate | null = null;
  private readonly beganAt = performance.now();
  private finish: () => void = () => undefined;
  private readonly mayLeave = () => this.job.mayBegin();

  constructor(
    private readonly job: Job,
    private readonly parts: RunParts,
  ) {
    this.tally = new JobTally(parts.logger, job, parts.watch.trouble !== null);
    this.cursor = new ClaimCursor(parts.stretches);
    this.parking = new JobParking(parts.parker, job, this.tally, parts.live.current.schedulerIntervalMs);
    this.flight = new Flight(
      () => parts.window.usualAnswerMs,
      () => this.pump(),
    );
    this.settler = parts.makeSettler((batch) => this.afterWriting(batch));
  }

  /** Why the job ended before its budget was spent; null when it did not. */
  get note(): string | null {
    return this.endedBy ?? (this.job.winding.aborted && !this.job.trails ? String(this.job.winding.reason) : null);
  }

  /** What ended the job early other than a stop; null when nothing did. */
  get trouble(): string | null {
    return this.endedBy;
  }

  /**
   * How the way fared. What the receiver asked for is not its trouble. A run that trailed ends after others, which have told of
   * trouble.
   */
  get way(): JobReport['way'] {
    const { watch } = this.parts;
    if (watch.trouble !== null && watch.waitUntil(Date.now(), performance.now()) === null)
      return this.job.trails ? 'untried' : 'down';
    if (this.tally.gotThrough || this.job.trails) return 'works';
    return this.tally.notSent > 0 ? 'doubtful' : 'untried';
  }

  /** Resolves when nothing is in flight, nothing is claimed and everything is written. */
  async toEnd(): Promise<void> {
    const { job, parts } = this;
    const onWinding = () => {
      parts.client.withdrawAll(this);
      this.pump();
    };
    const onCut = () => parts.client.cutAll(this, 'cut off: the job may have another owner by now');
    job.winding.addEventListener('abort', onWinding);
    job.cut.addEventListener('abort', onCut);
    await new Promise<void>((resolve) => {
      this.finish = () => {
        this.over = true;
        resolve();
      };
      this.pump();
    });
    job.winding.removeEventListener('abort', onWinding);
    job.cut.removeEventListener('abort', onCut);
    this.flight.close();
    await this.claims;
    await this.settler.drain();
    // A release would free those as well whose outcome is known and not written.
    if (this.settler.incomplete && this.queue.size > 0 && !job.abandoned.aborted)
      await this.giveBack().catch(() => undefined);
    await this.parking.toEnd();
  }

  /** Whether messages may still be claimed for which no request was made. */
  get leavesClaims(): boolean {
    return !this.settler.incomplete && (this.claimsLeft || this.queue.size > 0);
  }

  /** Whether outcomes were given up, so that their receipts are all that is left of them. */
  get isIncomplete(): boolean {
    return this.settler.incomplete;
  }

  private get goesOn(): boolean {
    return !this.over && this.endedBy === null && this.job.mayBegin();
  }

  private get hasTurn(): boolean {
    if (this.parts.watch.wantsProbe && (this.probe === null || this.flight.awaited > 0)) return false;
    return this.queue.size > 0 && this.room > 0 && this.endedBy === null;
  }

  /**
   * How many more requests may begin: those that hang have given their places back, and still count for the ceiling, also
   * those of jobs that trail.
   */
  private get room(): number {
    const { window, client } = this.parts;
    return Math.min(window.size - this.flight.placesTaken, window.ceiling() - client.requestsInFlight);
  }

  /** Looks again whether more requests may begin. */
  lookAgain(): void {
    if (!this.over) this.pumpAtTurnEnd();
  }

  /** The answers of one turn of the event loop are gone through together: one write to Redis, then new requests. */
  private pumpAtTurnEnd(): void {
    this.turnEnd ??= setImmediate(() => {
      this.turnEnd = null;
      this.pump();
    });
  }

  private pump(): void {
    // Receipts before requests: see `keepReceipts`.
    this.settler.keepReceipts();
    // No time passes here, so what is not stale, and may begin, stays so.
    if (this.goesOn && !this.queue.stale) while (this.hasTurn) this.send();
    if (this.parts.watch.wantsProbe) this.claimProbeInTime();
    else this.claimInTime();
    const idle = this.flight.size === 0 && !this.claiming;
    if (idle && (!this.goesOn || (this.cursor.exhausted && this.queue.size === 0 && this.settler.empty))) this.finish();
    else if (this.flight.awaited === 0) this.trailInTime();
  }

  /**
   * Nothing is left to begin, and all that is in flight hangs: the next job need not wait for it. Only while others get through,
   * else it may be the way that is silent; and only for answers: a request that found no connection is back on the budget, and
   * its job has to spend that.
   */
  private trailInTime(): void {
    const { cursor, settler, queue, job } = this;
    const { client, watch } = this.parts;
    const isSpent = cursor.exhausted && queue.size === 0 && settler.empty && !this.claiming && !this.claimsLeft;
    if (!isSpent || this.flight.size === 0 || !this.goesOn || watch.suspected) return;
    const now = performance.now();
    const othersGotThrough = watch.acceptedAgoMs(now) < now - this.beganAt;
    if (othersGotThrough && client.allLeft(this)) job.trail();
  }

  private claimInTime(): void {
    this.ranDry ||= this.queue.size === 0 && this.room > 0;
    const runsLow = !this.cursor.exhausted && this.queue.size < this.ahead && !this.settler.isCrowded;
    if (this.goesOn && !this.claiming && (runsLow || this.hasTurn)) this.claim();
  }

  /**
   * What is in flight may still tell that the way works, unless it hangs; and a job has one claimed probe at a time, so the
   * former one is settled.
   */
  private claimProbeInTime(): void {
    if (this.probe !== null || this.flight.awaited > 0 || this.claiming || !this.goesOn || !this.settler.empty) return;
    this.claiming = true;
    this.claims = this.claimProbe();
  }

  private async claimProbe(): Promise<void> {
    const { claims, claimFaults, watch } = this.parts;
    try {
      if (this.queue.size > 0) await this.giveBack();
      this.parkInvalid();
      if (watch.probePauseMs > 0)
        await sleep(watch.probePauseMs, undefined, { signal: this.job.winding }).catch(() => undefined);
      // Where nothing lies, or what lies there is locked, the newest is as good as any.
      const place = watch.probePlace(Math.random());
      const wish = watch.probeWish(performance.now());
      const claim = async (at: number) => await claims.claimProbe(this.job, at, wish, claimFaults.lockPatienceMs);
      const probe =
        (await claim(place)) ??
        (place === 1 ? null : await claim(1)) ??
        (wish.othersOnly ? null : await this.claimHead());
      await this.job.prepared();
      this.cursor.restart();
      this.probe = probe?.id ?? null;
      if (probe === null) this.endedBy ??= this.parts.waitNote ?? watch.doubt;
      else this.queue.add([probe]);
    } catch (error) {
      await this.afterClaimFault(() => this.parts.claimFaults.afterProbe(error));
    }
    this.claiming = false;
    this.pump();
  }

  /** A probe looks a little way only; the first message that can be sent may lie behind very many that cannot. */
  private async claimHead(): Promise<ClaimedMessage | null> {
    for (let looks = 0; looks < HEAD_LOOKS && !this.cursor.exhausted && this.goesOn; looks += 1) {
      const claim = await this.parts.claims.claim(this.job, 1, this.cursor.look, true);
      this.cursor.advance(claim, true);
      if (claim.messages[0] !== undefined) return claim.messages[0];
    }
    return null;
  }

  private async afterClaimFault(decide: () => Promise<string | null>): Promise<void> {
    // A claim whose reply was lost may have been made.
    this.claimsLeft = true;
    this.cursor.restart();
    this.endedBy ??= await decide();
  }

  private claim(): void {
    this.claiming = true;
    this.ranDry = false;
    const free = this.room;
    this.claims = this.claimInto(Math.min(this.parts.claimFaults.rowsMax, Math.max(2 * this.ahead, free)));
  }

  private async claimInto(limit: number): Promise<void> {
    const { claimFaults } = this.parts;
    let { look } = this.cursor;
    let validOnly = false;
    try {
      if (this.queue.stale) await this.giveBack();
      this.parkInvalid();
      const takenBefore = this.queue.taken;
      const refundsBefore = this.refunds;
      const askedAt = performance.now();
      look = this.cursor.look;
      validOnly = this.parking.passesOver;
      const claim = await this.parts.claims.claim(this.job, limit, look, validOnly, claimFaults.lockPatienceMs);
      claimFaults.succeeded(claim.messages.length, performance.now() - askedAt);
      const { messages, setAside } = claim;
      const startsAgain =
        setAside.length > 0 && (await claimFaults.afterPutBack(setAside, messages.length, look, validOnly));
      await this.job.prepared();
      const wanted = this.ranDry ? 2 * this.ahead : Math.floor(this.ahead / 2);
      this.ahead = Math.min(AHEAD_MAX, Math.max(AHEAD_MIN, 2 * (this.queue.taken - takenBefore), wanted));
      // The budget was refunded meanwhile, which this claim may not have seen: then it ends nothing.
      this.cursor.advance(claim, this.refunds === refundsBefore);
      if (startsAgain) this.cursor.restart();
      this.queue.add(messages);
    } catch (error) {
      await this.afterClaimFault(() => claimFaults.after(error, limit, look, validOnly));
    }
    this.claiming = false;
    this.pump();
  }

  /** Where one message is invalid many may be: they are parked beside the claims, which pass over them from now on. */
  private parkInvalid(): void {
    if (this.metInvalid) this.parking.met(this.cursor.look);
    this.metInvalid = false;
    this.parking.goOn();
  }

  /** Nothing is sent meanwhile: the queue stays stale until it is empty. */
  private async giveBack(): Promise<void> {
    if ((await this.parts.claims.giveBack(this.job, this.queue.ids)) > 0) this.claimsLeft = true;
    this.queue.clear();
    this.cursor.restart();
  }

  private send(): void {
    const { current } = this.parts.live;
    const message = current.webhookUrl === null ? undefined : this.queue.take();
    if (message === undefined || current.webhookUrl === null) {
      this.endedBy = this.parts.live.sendingObstacle ?? 'webhook_url is not set';
      return;
    }
    const fault = localFault(message);
    this.metInvalid ||= fault !== null;
    if (fault !== null) {
      if (message.id === this.probe) this.probe = null;
      return this.settler.add(this.tally.invalid(settleInvalid(message, fault, performance.now())));
    }

    const step = this.flight.began();
    const startedAt = performance.now();
    const target = this.parts.watch.aim(current.webhookUrl, current.webhookAuthKey);
    const hash = messageHash(message);
    this.parts.client.post(
      {
        url: target.url,
        authKey: target.authKey,
        to: message.recipientPhone,
        content: message.content,
        idempotencyKey: idempotencyKey(this.parts.installationId, hash, message.id),
        correlationId: this.job.correlationId,
        timeoutMs: Math.min(current.webhookTimeoutMs, this.job.requestLimitMs),
        mayLeave: this.mayLeave,
        sender: this,
      },
      (reply) => {
        this.flight.ended(step);
        this.onReply(message, hash, reply, target, startedAt);
        if (this.job.trails) this.parts.onRoom();
      },
    );
  }

  private onReply(
    message: ClaimedMessage,
    hash: string,
    reply: Answer | NoAnswer,
    target: Target,
    startedAt: number,
  ): void {
    if ('withdrawn' in reply) {
      this.claimsLeft = true;
      return this.pumpAtTurnEnd();
    }
    const knownAt = performance.now();
    const delivery = classify(reply, new Date());
    const { live, watch, elsewhere } = this.parts;
    this.tally.count(message.id, delivery);
    if (delivery.outcome === 'accepted') elsewhere.forget();
    const attempt = {
      delivery,
      durationMs: knownAt - startedAt,
      knownAt,
      responseExcerpt: excerptOf(delivery, reply),
      messageHash: hash,
    };
    const others = {
      suspected: watch.suspected,
      acceptedAgoMs: watch.acceptedAgoMs(knownAt),
      acceptedElsewhere: elsewhere.works(knownAt),
    };
    this.settler.add(settleOutcome(message, attempt, live.current, others, Math.random()));
    watch.note(message.recipientPhone, delivery, target, message.id === this.probe, startedAt, knownAt);
    if (message.id === this.probe) this.probe = null;
    this.adjust(delivery, startedAt, knownAt);
    this.pumpAtTurnEnd();
  }

  private adjust(delivery: Delivery, startedAt: number, now: number): void {
    const { window, watch } = this.parts;
    // An answer that may be the message's own trouble says nothing about how much the receiver bears.
    if (delivery.outcome === 'accepted') {
      window.succeeded(now, now - startedAt);
      this.flight.accepted();
    } else if (delivery.outcome === 'uncertain') window.unanswered(startedAt, now);
    else if (delivery.outcome !== 'refused' && !isAnswerOfChannel(delivery)) window.turnedAway(startedAt, now);
    if (watch.suspected) window.collapse();
    if (!watch.wantsProbe && watch.trouble !== null && !this.job.trails)
      this.endedBy ??= this.parts.waitNote ?? watch.trouble;
  }

  private afterWriting(batch: readonly Settlement[]): void {
    // What was invalid here, or found no connection, is back on the budget, so another one may be claimed for it.
    if (batch.some(isRefunded)) {
      this.refunds += 1;
      this.cursor.reopen();
    }
    if (this.settler.isStuck) this.endedBy ??= 'outcomes can be written neither to messages nor to unwritten_outcomes';
    // The settler counts as empty only after this call.
    this.pumpAtTurnEnd();
  }
}

function localFault(message: ClaimedMessage): string | null {
  const phone = phoneFault(message.recipientPhone);
  if (phone !== null) return `recipient_phone ${phone}`;
  const content = contentFault(message.content);
  return content === null ? null : `content ${content}`;
}

function isAnswerOfChannel({ outcome, status }: Delivery): boolean {
  return outcome === 'channel' && status !== null;
}
