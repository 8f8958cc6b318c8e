import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import {
  FROM_THE_START,
  lookedAtFresh,
  lookedAtRetries,
  type ClaimLook,
  type Looked,
  type LookRow,
  type RetryPlace,
} from './claim-look.js';
import {
  FIND_INVALID_FRESH,
  FIND_INVALID_RETRIES,
  PARK_INVALID,
  type InvalidPlace,
  type InvalidSlice,
  type ParkedInvalid,
} from './invalid-messages.js';
import { CONTENT_LENGTH_FAULT, PHONE_DECIMAL_FAULT, PHONE_FAULT } from './message-rules.js';
import {
  LOOK_AT_STRAY_FRESH,
  LOOK_AT_STRAY_RETRIES,
  straySlice,
  TAKE_STRAY_FRESH,
  TAKE_STRAY_RETRIES,
  TAKEN_ROWS,
  type StrayRow,
  type StraySlice,
} from './stray-claims.js';
import { CLAIM_PROBE_FRESH, CLAIM_PROBE_RETRY, RELEASE_PROBE, TAKE_PROBE_OVER } from './claim-probe.js';
import { SendableLook } from './sendable-look.js';
import type { WriteRefusal } from './unwritten-outcomes.js';
import {
  CLAIM,
  CLAIM_FAR,
  CLAIM_FRESH,
  CLAIM_VALID,
  CLAIM_VALID_FAR,
  CLOSE,
  GIVE_BACK,
  KEEP_CLAIMED,
  LEAVES_BUDGET,
  OPEN,
  RELEASE,
  SET_NEXT_ASIDE,
  SET_NEXT_VALID_ASIDE,
  TAKE_OVER,
} from './claim-statements.js';

/** Shorter than `deadlock_timeout`, so that of two transactions that wait for each other this one gives way. */
export const LOCK_PATIENCE_MS = 500;

/** A job in the hands of one owner. A write under an old fence changes nothing. */
export interface ClaimKey {
  readonly id: number;
  readonly fence: number;
}

export interface ClaimedMessage {
  readonly id: number;
  readonly recipientPhone: string;
  readonly content: string;
  /** When it was stored, in seconds since 1970 as PostgreSQL writes them, to the microsecond; null: before the adoption. */
  readonly createdAt: string | null;
  /** Requests that were charged to it before. */
  readonly attempts: number;
  /** Requests that were not: their answers may have been the fault of the way. */
  readonly sitOuts: number;
  /** The error of its first attempt of which nobody knows the outcome; null: there is none. */
  readonly doubt: string | null;
}

/** What a claim brought. */
export interface Claim {
  /** Oldest first. */
  readonly messages: ClaimedMessage[];
  /** Those that were claimed for PostgreSQL and are not, as a trigger put them back: set aside in `unwritten_outcomes`. */
  readonly setAside: readonly number[];
  /** How far it looked; null: it wanted none of that kind. */
  readonly fresh: Looked<number> | null;
  readonly retries: Looked<RetryPlace> | null;
  /** Whether nothing could be claimed whatever there is: the budget is spent, sending was stopped, or the job is another's. */
  readonly spent: boolean;
}

/** What a new owner of a job found claimed by earlier ones. */
export interface Inheritance {
  readonly taken: ClaimedMessage[];
  /** How many are left because somebody has them locked or changed them in that moment: take over again. */
  readonly left: number;
}

/**
 * Claims messages for a job. A claim belongs to one owner of one job; it ends by being settled (`MessageSettlements`),
 * released, or recovered by the job's next owner. Replicas may call all of this at once: none receives another's rows. Nothing
 * here waits for the lock of a message, which anybody may hold for long, with the job's row in hand: renewals and the
 * scheduler would wait for that.
 */
@Injectable()
export class MessageClaims {
  /** Whether there is anything to send or to recover, and from where on. */
  readonly work: SendableLook;

  constructor(private readonly database: Database) {
    this.work = new SendableLook();
  }

  /**
   * Opens the job: the newest id and the time are noted once per job, so that what is inserted or due again meanwhile goes out
   * in the next one. Returns the installation's id.
   */
  async open(job: ClaimKey): Promise<string> {
    const [row] = await this.database.query<{ installation_id: string }>(OPEN, [job.id, job.fence]);
    return row?.installation_id ?? '';
  }

  /**
   * Claims up to `limit` messages and takes them off the job's budget: fresh ones by id, and retries that are due, the longest
   * due first. While it finds both, each kind gets half. A message that was marked by hand or deleted is not claimed.
   * `validOnly` passes over messages that cannot be sent as they stand, which costs a look at the text of each. A lock, such as
   * that of a trigger, is waited for `patienceMs`.
   */
  async claim(
    job: ClaimKey,
    limit: number,
    look: ClaimLook = FROM_THE_START,
    validOnly = false,
    patienceMs = LOCK_PATIENCE_MS,
  ): Promise<Claim> {
    const [from, ...place] = this.placesOf(look);
    if (look.retries === 'ended' && look.fresh !== 'ended' && !look.far && !validOnly)
      return await this.proven(
        job,
        await this.database.tuples(CLAIM_FRESH, [job.id, job.fence, limit, from, patienceMs]),
      );
    const kinds = [look.fresh !== 'ended', look.retries !== 'ended'];
    const values = [job.id, job.fence, limit, from, ...place, ...kinds, patienceMs];
    const [near, far] = validOnly ? [CLAIM_VALID, CLAIM_VALID_FAR] : [CLAIM, CLAIM_FAR];
    return await this.proven(job, await this.database.tuples(look.far ? far : near, values));
  }

  /** Leaves out what is not claimed though its statement wrote it. */
  private async proven(job: ClaimKey, tuples: readonly ClaimTuple[]): Promise<Claim> {
    const { putBack, hasLaterTriggers, ...claim } = claimOf(tuples);
    if (putBack.length === 0 && (!hasLaterTriggers || claim.messages.length === 0)) return claim;
    const kept = await this.keepClaimed(
      job,
      putBack,
      claim.messages.map(({ id }) => id),
    );
    return { ...claim, messages: claim.messages.filter(({ id }) => kept.claimed.has(id)), setAside: kept.setAside };
  }

  private async keepClaimed(job: ClaimKey, putBack: readonly number[], charged: readonly number[]) {
    const values = [job.id, job.fence, [...putBack, ...charged], charged];
    const [row] = await this.database.query<{ claimed: number[]; setAside: number[] }>(KEEP_CLAIMED, values);
    return { claimed: new Set(row?.claimed), setAside: row?.setAside ?? [] };
  }

  /** Has claims pass over the message that a claim of one with this look would take; returns its id, null when there is none. */
  async setNextAside(
    job: ClaimKey,
    look: ClaimLook,
    validOnly: boolean,
    { sqlstate, text }: WriteRefusal,
  ): Promise<number | null> {
    const [from, ...place] = this.placesOf(look);
    const kinds = [look.fresh !== 'ended', look.retries !== 'ended'];
    const values = [job.id, job.fence, 1, from, ...place, ...kinds, LOCK_PATIENCE_MS, text, sqlstate];
    const [row] = await this.database.query<{ id: number }>(validOnly ? SET_NEXT_VALID_ASIDE : SET_NEXT_ASIDE, values);
    return row?.id ?? null;
  }

  /**
   * Claims one message from elsewhere than the head, to probe the way with: at `place` of the backlog, from 0, the oldest, to 1,
   * the newest, of the kind that is asked for if there is one. null: there is none, or a claim would be empty for another
   * reason. The job's former probe must be settled.
   */
  async claimProbe(
    job: ClaimKey,
    place: number,
    wish: ProbeWish = ANY_PROBE,
    patienceMs = LOCK_PATIENCE_MS,
  ): Promise<ClaimedMessage | null> {
    const [freshFrom, ...retriesFrom] = this.placesOf(FROM_THE_START);
    const values = [job.id, job.fence, place, wish.known, wish.othersOnly, patienceMs];
    const fresh = async () => await this.database.query<ProbeRow>(CLAIM_PROBE_FRESH, [...values, freshFrom]);
    const retry = async () => await this.database.query<ProbeRow>(CLAIM_PROBE_RETRY, [...values, ...retriesFrom]);
    for (const claim of wish.retryFirst ? [retry, fresh] : [fresh, retry]) {
      for (let tries = 0; tries < PROBES_TRIED; tries += 1) {
        const [probe] = await claim();
        if (probe === undefined) break;
        const { isClaimed, hasLaterTriggers, ...message } = probe;
        if (isClaimed && !hasLaterTriggers) return message;
        const { claimed } = await this.keepClaimed(job, isClaimed ? [] : [message.id], isClaimed ? [message.id] : []);
        if (claimed.has(message.id)) return message;
      }
    }
    return null;
  }

  /**
   * Gives back whatever this owner of the job still has claimed, also what it never heard of because the reply to its
   * claim was lost, or the claim is still on its way: it claims nothing any more. Only for an owner that has settled every
   * message for which it made a request. Returns how many are left, as in `Inheritance`: release again.
   */
  async release(job: ClaimKey): Promise<number> {
    await this.database.query(CLOSE, [job.id, job.fence]);
    // A statement of its own, so that it sees what a claim that the first one waited for has claimed.
    const left = leftOf(await this.database.query<Left>(RELEASE, [job.id, job.fence]));
    return left + leftOf(await this.database.query<Left>(RELEASE_PROBE, [job.id, job.fence]));
  }

  /** When a message was last sent by any replica, in milliseconds since 1970; -Infinity: never. */
  async lastSentAt(): Promise<number> {
    const [row] = await this.database.query<{ at: number }>(LAST_SENT);
    return row?.at ?? -Infinity;
  }

  /** Whether the job may still make requests. */
  async leavesBudget(job: ClaimKey): Promise<boolean> {
    return (await this.database.query(LEAVES_BUDGET, [job.id, job.fence])).length > 0;
  }

  /**
   * Gives back messages whose turn has not come and puts them on the job's budget again, those included that were marked
   * or deleted meanwhile. Returns how many are left, as in `Inheritance`: those stay claimed until a release.
   */
  async giveBack(job: ClaimKey, ids: readonly number[]): Promise<number> {
    return leftOf(await this.database.query<Left>(GIVE_BACK, [job.id, job.fence, ids]));
  }

  /** Takes over what earlier owners of the job left claimed: whether those messages were sent is not known here. */
  async takeOver(job: ClaimKey): Promise<Inheritance> {
    const values = [job.id, job.fence];
    const [others] = await this.database.query<Inheritance>(TAKE_OVER, values);
    const [probe] = await this.database.query<Inheritance>(TAKE_PROBE_OVER, values);
    return {
      taken: [...(others?.taken ?? []), ...(probe?.taken ?? [])],
      left: (others?.left ?? 0) + (probe?.left ?? 0),
    };
  }

  /** Looks at the next 5,000 fresh messages for those that cannot be sent as they stand; changes and locks nothing. */
  async findInvalidFresh(from: number | null): Promise<InvalidSlice<number>> {
    const rows = await this.database.query<InvalidSlice<number>>(FIND_INVALID_FRESH, [from ?? this.work.freshFrom]);
    return rows[0] ?? NOTHING_SEEN;
  }

  /** The same of the next 5,000 retries that are due. */
  async findInvalidRetries(from: RetryPlace | null): Promise<InvalidSlice<RetryPlace>> {
    const rows = await this.database.query<InvalidSlice<RetryPlace>>(FIND_INVALID_RETRIES, [
      ...(from ?? this.work.retriesFrom ?? [null, null]),
    ]);
    return rows[0] ?? NOTHING_SEEN;
  }

  /** Parks those of them that still cannot be sent. No budget is charged, and what others have locked is passed over. */
  async parkInvalid(places: readonly InvalidPlace[]): Promise<ParkedInvalid> {
    const faults = [
      `recipient_phone ${PHONE_FAULT}`,
      `recipient_phone ${PHONE_DECIMAL_FAULT}`,
      `content ${CONTENT_LENGTH_FAULT}`,
    ];
    const values = [faults, places.map(([source]) => source), places.map(([, place]) => place)];
    const [row] = await this.database.query<ParkedInvalid>(PARK_INVALID, values);
    return row ?? { held: 0, parked: 0, samples: [] };
  }

  /** The fresh id, the end of a pause and the id of a retry from which to look. */
  private placesOf({ fresh, retries }: ClaimLook): (number | null)[] {
    const freshFrom = fresh === null ? this.work.freshFrom : fresh;
    const retriesFrom = retries === null ? this.work.retriesFrom : retries;
    const [dueAt, id] = retriesFrom === null || retriesFrom === 'ended' ? [null, null] : retriesFrom;
    return [freshFrom === 'ended' ? null : freshFrom, dueAt, id];
  }

  /**
   * Takes up to `limit` claims of jobs that do not run from a slice of the fresh messages, oldest first. `isLook`: they are
   * only looked at, for the case that PostgreSQL does not let them be taken.
   */
  async takeStrayFresh(from: number | null, limit = TAKEN_ROWS, isLook = false): Promise<StraySlice<number>> {
    const statement = isLook ? LOOK_AT_STRAY_FRESH : TAKE_STRAY_FRESH;
    const rows = await this.database.query<StrayRow<number>>(statement, [limit, from ?? this.work.freshFrom]);
    return straySlice(rows, from, (id) => id + 1);
  }

  /** The same of a slice of the retries that are due. */
  async takeStrayRetries(from: RetryPlace | null, limit = TAKEN_ROWS, isLook = false): Promise<StraySlice<RetryPlace>> {
    const rows = await this.database.query<StrayRow<RetryPlace>>(isLook ? LOOK_AT_STRAY_RETRIES : TAKE_STRAY_RETRIES, [
      limit,
      ...(from ?? this.work.retriesFrom ?? [null, null]),
    ]);
    return straySlice(rows, from, ([dueAt, id]) => [dueAt, id + 1]);
  }
}

/** Which message a probe should be. */
export interface ProbeWish {
  readonly retryFirst: boolean;
  /** Recipients that fared badly: a message to another one is preferred. */
  readonly known: readonly string[];
  /** Whether only a message to another one will do. */
  readonly othersOnly: boolean;
}

const NOTHING_SEEN = { looked: 0, invalid: [], next: null };

/** A trigger may keep a probe from being claimed; then another one is tried. */
const PROBES_TRIED = 10;

type ProbeRow = ClaimedMessage & { readonly isClaimed: boolean; readonly hasLaterTriggers: boolean };

const ANY_PROBE: ProbeWish = { retryFirst: false, known: [], othersOnly: false };

/** When the newest message was sent, in milliseconds since 1970; marks of the future do not count. */
export const LAST_SENT: Statement = {
  name: 'messages.last-sent',
  text: `
    SELECT extract(epoch FROM sent_at AT TIME ZONE 'UTC')::float8 * 1000 AS at FROM messages
    WHERE sent_status = TRUE AND coalesce(sent_at, '-infinity'::timestamp) <= clock_timestamp() AT TIME ZONE 'UTC'
    ORDER BY coalesce(sent_at, '-infinity'::timestamp) DESC, id DESC LIMIT 1`,
};

interface Left {
  readonly left: number;
}

function leftOf([row]: readonly Left[]): number {
  return row?.left ?? 0;
}

const FIRST_TIME = [0, 0, null, null, true] as const;

/** A claimed message with what came before, which is null for nearly all; or, without an id, how far was looked. */
type ClaimTuple =
  | [
      id: number,
      recipientPhone: string,
      content: string,
      createdAt: string | null,
      before:
        [attempts: number, sitOuts: number, doubt: string | null, dueAt: number | null, isClaimed: boolean] | null,
    ]
  | [
      id: null,
      recipientPhone: null,
      content: null,
      createdAt: null,
      look: LookRow & { readonly hasLaterTriggers: boolean },
    ];

function claimOf(
  tuples: readonly ClaimTuple[],
): Claim & { readonly putBack: number[]; readonly hasLaterTriggers: boolean } {
  const messages: ClaimedMessage[] = [];
  const putBack: number[] = [];
  const fresh: number[] = [];
  const retries: RetryPlace[] = [];
  let look: LookRow = { wanted: 0, retriesWanted: 0, freshTo: null, retryToAt: null, retryToId: null };
  let hasLaterTriggers = false;
  for (const tuple of tuples) {
    if (tuple[0] === null) {
      look = tuple[4];
      ({ hasLaterTriggers } = tuple[4]);
      continue;
    }
    const [id, recipientPhone, content, createdAt, before] = tuple;
    const [attempts, sitOuts, doubt, dueAt, isClaimed] = before ?? FIRST_TIME;
    if (isClaimed) messages.push({ id, recipientPhone, content, createdAt, attempts, sitOuts, doubt });
    else putBack.push(id);
    if (dueAt === null) fresh.push(id);
    else retries.push([dueAt, id]);
  }
  return {
    messages,
    setAside: [],
    putBack,
    hasLaterTriggers,
    // What was put back was looked at as well: behind it may be more.
    fresh: lookedAtFresh(fresh, look.wanted - retries.length, look),
    retries: lookedAtRetries(retries, look),
    spent: look.wanted <= 0,
  };
}
