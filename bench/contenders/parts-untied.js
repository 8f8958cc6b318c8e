import { INSERT_MESSAGES } from '../support/backlog.js';
import { storePath } from '../support/built.js';
import { open as openBareLoop } from './bare-loop.js';

/** As many as the service claims and settles at once at full speed. */
const CLAIM = 160;
const SETTLE = 400;

/** @typedef {{ id: number }} Claimed */

/**
 * The bare loop, and beside it, in the same process, the service's own claims and outcomes of as many messages in a real
 * table. Nothing waits for anything: no request for a claim, no outcome for an answer. What a machine makes of it is the
 * most that it could make of the service. @type {import('./child.js').Open}
 */
export async function open(place) {
  const bareLoop = await openBareLoop(place);
  const { createDataSource, Database, MessageClaims, MessageSettlements } = await storePath();
  const dataSource = await createDataSource(place.databaseUrl).initialize();
  await dataSource.runMigrations();
  await dataSource.query('UPDATE scheduler_state SET running = TRUE');
  const database = new Database(dataSource);
  const claims = new MessageClaims(database);
  const settlements = new MessageSettlements(database);

  /** Claims and settles whatever waits, in one job; returns how many messages that were. */
  async function keepBooks() {
    const [{ id }] = await dataSource.query(
      `INSERT INTO dispatch_jobs (due_at, state, budget, fence)
       VALUES (clock_timestamp(), 'running', 1000000000, 1) RETURNING id`,
    );
    const job = { id, fence: 1 };
    await claims.open(job);
    let booked = 0;
    let lastId = 0;
    /** @type {Claimed[]} */
    let sent = [];
    let writing = Promise.resolve();
    const settle = async (/** @type {Claimed[]} */ batch) => {
      booked += (await settlements.settle(job, batch.map(accepted))).length;
    };
    for (;;) {
      /** @type {Claimed[]} */
      const claimed = await claims.claim(job, CLAIM, lastId);
      lastId = claimed.at(-1)?.id ?? lastId;
      sent.push(...claimed);
      if (sent.length < SETTLE && claimed.length > 0) continue;
      await writing;
      if (claimed.length === 0) break;
      writing = settle(sent);
      sent = [];
    }
    await settle(sent);
    return booked;
  }

  return {
    fill: (count) => dataSource.query(INSERT_MESSAGES, [count]),
    async run(count) {
      const [booked] = await Promise.all([keepBooks(), bareLoop.run(count)]);
      if (booked !== count) throw new Error(`${booked} of ${count} messages were settled`);
    },
    async close() {
      await dataSource.destroy();
      await bareLoop.close();
    },
  };
}

/** The outcome of a message that was accepted. @param {Claimed} message */
function accepted({ id }) {
  return {
    id,
    state: 'sent',
    knownAt: performance.now(),
    charged: true,
    delayMs: null,
    reason: null,
    messageId: `67f2f8a8-ea58-4ed0-a6f9-${String(id).padStart(12, '0')}`,
    attempt: {
      number: 1,
      durationMs: 2,
      httpStatus: 202,
      outcome: 'accepted',
      error: null,
      responseExcerpt: null,
    },
  };
}
