import * as fc from 'fast-check';
import type { MessageClaims } from '../../src/messages/message-claims.js';
import type { MessageSettlements, Settlement } from '../../src/messages/message-settlements.js';
import { ClaimsModel, type Claimer } from './claims-model.js';
import type { TestDatabase } from './test-database.js';

// The commands run inside a test.
/* oxlint-disable jest/no-standalone-expect */

export interface ClaimsSystem {
  readonly claims: MessageClaims;
  readonly settlements: MessageSettlements;
  readonly database: TestDatabase;
}

type Step = fc.AsyncCommand<ClaimsModel, ClaimsSystem>;

const keyOf = ({ job, fence }: Claimer) => ({ id: job.id, fence });
const idsOf = (messages: readonly { readonly id: number }[]) => messages.map(({ id }) => id);

/** The tables hold what the model holds: no more was changed, and no less. */
async function compare(model: ClaimsModel, { database }: ClaimsSystem): Promise<void> {
  const messages = await database.query<{ id: number; dueAt: number | null }>(`
    SELECT id, sent_status AS sent, parked_as AS "parkedAs",
      CASE WHEN next_attempt_at IS NULL THEN 'none' WHEN next_attempt_at <= clock_timestamp() THEN 'over' ELSE 'long' END AS pause,
      (extract(epoch FROM next_attempt_at) * 1000000)::bigint AS "dueAt",
      CASE WHEN claimed_by IS NOT NULL THEN json_build_object('job', claimed_by, 'fence', claim_fence) END AS claim
    FROM messages ORDER BY id`);
  const jobs = await database.query<{ id: number; retryHorizon: number | null }>(`
    SELECT id, budget, claimed, fence, horizon, (extract(epoch FROM retry_horizon) * 1000000)::bigint AS "retryHorizon",
      closed_fence AS "closedFence" FROM dispatch_jobs ORDER BY id`);
  for (const { id, dueAt } of messages) if (model.messages.has(id)) model.message(id).dueAt = dueAt;
  for (const [index, { retryHorizon }] of jobs.entries()) {
    const job = model.jobs[index];
    if (job !== undefined) job.retryHorizon ??= retryHorizon;
  }
  expect(messages).toEqual([...model.messages.values()].toSorted((a, b) => a.id - b.id));
  expect(jobs).toEqual(model.jobs);
}

/** A command whose effect on the tables is compared with the model's afterwards. */
function step(
  name: string,
  check: (model: ClaimsModel) => boolean,
  run: (model: ClaimsModel, system: ClaimsSystem) => Promise<void>,
): Step {
  return {
    check,
    async run(model, system) {
      await run(model, system);
      await compare(model, system);
    },
    toString: () => name,
  };
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('there is nothing to pick');
  return item;
}

const natural = fc.nat({ max: 1_000 });

const insert = fc.integer({ min: 1, max: 6 }).map((count) =>
  step(
    `insert ${count}`,
    () => true,
    async (model, { database }) => {
      for (const id of await database.insertMessages(count)) {
        model.messages.set(id, { id, sent: false, parkedAs: null, pause: 'none', dueAt: null, claim: null });
      }
    },
  ),
);

const beginJob = fc.integer({ min: 1, max: 7 }).map((budget) =>
  step(
    `begin a job of ${budget}`,
    (model) => model.jobs.length < 3,
    async (model, { claims, database }) => {
      const id = await database.value<number>(
        `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, $1) RETURNING id`,
        [budget],
      );
      const job = { id, budget, claimed: 0, fence: 0, horizon: null, retryHorizon: null, closedFence: null };
      model.jobs.push(job);
      const claimer = model.succeed(job);
      model.open(claimer);
      await claims.open(keyOf(claimer));
    },
  ),
);

const hasClaimers = (model: ClaimsModel) => model.claimers.length > 0;

const open = natural.map((who) =>
  step(`open by ${who}`, hasClaimers, async (model, { claims }) => {
    const claimer = pick(model.claimers, who);
    model.open(claimer);
    await claims.open(keyOf(claimer));
  }),
);

const claim = fc.tuple(natural, fc.integer({ min: 1, max: 6 })).map(([who, limit]) =>
  step(`claim ${limit} by ${who}`, hasClaimers, async (model, { claims }) => {
    const claimer = pick(model.claimers, who);
    const expected = model.claimable(claimer, limit);
    expect(idsOf((await claims.claim(keyOf(claimer), limit)).messages)).toEqual(expected);
    model.claimed(claimer, expected);
  }),
);

/** Everybody claims at once, the owners twice over. */
const stampede = fc.integer({ min: 1, max: 4 }).map((limit) =>
  step(`all claim ${limit}`, hasClaimers, async (model, { claims }) => {
    const sendableTo = new Map(model.jobs.map((job) => [job, Object.values(model.sendable(job)).flat()]));
    const claimers = [...model.claimers, ...model.live];
    const replies = await Promise.all(claimers.map((claimer) => claims.claim(keyOf(claimer), limit)));
    const given = replies.flatMap(({ messages }) => idsOf(messages));
    expect(new Set(given).size).toBe(given.length);
    replies.forEach((reply, index) => {
      const claimer = pick(claimers, index);
      const ids = idsOf(reply.messages);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(ids.filter((id) => !sendableTo.get(claimer.job)?.includes(id))).toEqual([]);
      if (!model.mayClaim(claimer)) expect(ids).toEqual([]);
      model.claimed(claimer, ids);
    });
    for (const { claimed, budget } of model.jobs) expect(claimed).toBeLessThanOrEqual(budget);
  }),
);

const outcome = fc.record({
  state: fc.constantFrom('sent', 'waiting', 'failed', 'uncertain'),
  delayMs: fc.constantFrom(null, 0, 3_600_000),
  tried: fc.boolean(),
});
type Outcome = typeof outcome extends fc.Arbitrary<infer T> ? T : never;

function settlement(id: number, { state, delayMs, tried }: Outcome): Settlement {
  const failedLocally = !tried && state !== 'sent';
  return {
    id,
    state,
    knownAt: performance.now(),
    charged: tried,
    delayMs: state === 'waiting' ? delayMs : null,
    reason: state === 'failed' || state === 'uncertain' ? 'by chance' : null,
    messageId: null,
    messageHash: null,
    attempt: failedLocally
      ? null
      : { number: 1, durationMs: 1, httpStatus: null, outcome: 'uncertain', error: null, responseExcerpt: null },
  };
}

const settle = fc.tuple(natural, fc.array(outcome, { minLength: 1, maxLength: 5 })).map(([who, outcomes]) =>
  step(
    `settle ${outcomes.map(({ state }) => state).join(', ')} by ${who}`,
    (model) => model.claimers.some(({ held }) => held.size > 0),
    async (model, { settlements }) => {
      const claimer = pick(
        model.claimers.filter(({ held }) => held.size > 0),
        who,
      );
      const ids = [...claimer.held].slice(0, outcomes.length);
      const batch = ids.map((id, index) => settlement(id, pick(outcomes, index)));
      const settled = await settlements.settle(keyOf(claimer), batch);
      expect(settled.toSorted((a, b) => a - b)).toEqual(model.settle(claimer, batch).toSorted((a, b) => a - b));
    },
  ),
);

const giveBack = fc.tuple(natural, natural).map(([who, count]) =>
  step(`give back ${count} by ${who}`, hasClaimers, async (model, { claims }) => {
    const claimer = pick(model.claimers, who);
    const ids = [...claimer.held].slice(0, count % 4);
    expect(await claims.giveBack(keyOf(claimer), ids)).toBe(0);
    model.giveBack(claimer, ids);
  }),
);

const release = natural.map((who) =>
  step(`release by ${who}`, hasClaimers, async (model, { claims }) => {
    const claimer = pick(model.claimers, who);
    expect(await claims.release(keyOf(claimer))).toBe(0);
    model.release(claimer);
  }),
);

/** The owner goes away; the next one takes over while the former still claims and settles. */
const takeOver = fc.tuple(natural, outcome).map(([which, late]) =>
  step(`take over job ${which}`, hasClaimers, async (model, { claims, settlements, database }) => {
    const former = pick(model.live, which);
    const { job } = former;
    const before = [...former.held];
    const batch = before.map((id) => settlement(id, { ...late, tried: true }));
    const claimedBefore = job.claimed;
    const sendable = Object.values(model.sendable(job)).flat();
    const next = async () => {
      await database.query(`UPDATE dispatch_jobs SET fence = fence + 1 WHERE id = $1`, [job.id]);
      const taken: number[] = [];
      // What the former owner is settling at that moment is locked.
      for (;;) {
        const inherited = await claims.takeOver({ id: job.id, fence: former.fence + 1 });
        taken.push(...idsOf(inherited.taken));
        if (inherited.left === 0) return taken.toSorted((a, b) => a - b);
      }
    };
    const [settled, { messages: claimed }, taken] = await Promise.all([
      settlements.settle(keyOf(former), batch),
      claims.claim(keyOf(former), 2),
      next(),
    ]);
    model.claimed(former, idsOf(claimed));
    expect(job.claimed - claimedBefore).toBe(claimed.length);
    expect(idsOf(claimed).filter((id) => !sendable.includes(id) && !settled.includes(id))).toEqual([]);
    model.settle(
      former,
      batch.filter(({ id }) => settled.includes(id)),
    );
    // What was claimed again right after it was settled is in the hands of the former owner once more.
    for (const { id } of claimed)
      if (!model.message(id).sent) model.message(id).claim = { job: job.id, fence: former.fence };
    const successor = model.succeed(job);
    expect(taken).toEqual(model.takeOver(successor));
  }),
);

const byHand = fc.tuple(natural, fc.constantFrom('mark', 'delete')).map(([which, act]) =>
  step(
    `${act} ${which} by hand`,
    (model) => model.messages.size > 0,
    async (model, { database }) => {
      const { id } = pick([...model.messages.values()], which);
      if (act === 'delete') {
        await database.query(`DELETE FROM messages WHERE id = $1`, [id]);
        model.messages.delete(id);
      } else {
        await database.query(`UPDATE messages SET sent_status = TRUE WHERE id = $1`, [id]);
        model.message(id).sent = true;
      }
    },
  ),
);

const switchOver = fc.boolean().map((running) =>
  step(
    running ? 'start' : 'stop',
    () => true,
    async (model, { database }) => {
      await database.query(`UPDATE scheduler_state SET running = $1`, [running]);
      model.running = running;
    },
  ),
);

/** Histories of claimers that claim, settle, crash and write late. */
export const claimsHistories = fc.commands(
  [insert, beginJob, open, claim, claim, stampede, settle, settle, giveBack, release, takeOver, byHand, switchOver],
  { size: '+1', maxCommands: 40 },
);
