import { ApiDatabase, type Statement } from '../src/database.js';
import type { MessageState } from '../src/messages/message.schemas.js';
import { LIST, LIST_SENT, LOOK_MAX, MessageLists } from '../src/messages/message-lists.repository.js';
import { LIST_ACTIONS } from '../src/operator-actions.js';
import { ENDED, RUNNING } from '../src/scheduler/job-history.js';
import { COUNT_SLICE, REPLAY_SLICE } from '../src/messages/replay-statements.js';
import { explained, visited } from './support/explained-database.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

jest.setTimeout(120_000);

/** Ten times what a list may look at: a statement that reads all of them cannot hide. */
const ROWS = 10 * LOOK_MAX;
const PAGE = 3;
/** A page, or as many as may be looked at, in each of two indexes; and the jobs that tell what is claimed. */
const VISITED_MAX = 2 * LOOK_MAX + 2_100;

/** The columns of every message, by the distribution that they make. */
const DISTRIBUTIONS: Readonly<Record<string, string>> = {
  'all parked': `FALSE, NULL, 'failed', now(), NULL, NULL`,
  'all waiting': `FALSE, NULL, NULL, NULL, NULL, NULL`,
  'all pausing': `FALSE, NULL, NULL, NULL, now() + interval '1 h', NULL`,
  'all sent': `TRUE, now() AT TIME ZONE 'UTC' - n * interval '1 ms', NULL, NULL, NULL, NULL`,
  'all parked and then marked by hand': `TRUE, now() AT TIME ZONE 'UTC', 'failed', now(), NULL, NULL`,
};
const FEW = `(FALSE, NULL, NULL, NULL, NULL, NULL), (FALSE, NULL, NULL, NULL, now() + interval '1 h', NULL),
  (FALSE, NULL, NULL, NULL, NULL, 1), (FALSE, NULL, NULL, NULL, now(), 1), (FALSE, NULL, 'failed', now(), NULL, NULL), (FALSE, NULL, 'uncertain', now(), NULL, NULL),
  (FALSE, NULL, 'cancelled', now(), NULL, NULL), (TRUE, now(), NULL, NULL, NULL, NULL)`;
const EXPECTED: Readonly<Record<MessageState, number>> = {
  waiting: 2,
  sending: 2,
  sent: 1,
  failed: 1,
  uncertain: 1,
  cancelled: 1,
};

const visitedBy = async (
  migrated: MigratedDatabase,
  { text }: Statement,
  values: readonly (string | number | boolean | null)[],
  generic: boolean,
) => {
  const client = await migrated.database.connect();
  try {
    const literals = values.map((value) => (value === null ? 'NULL' : `'${value}'`)).join(', ');
    await client.query(`SET plan_cache_mode = ${generic ? 'force_generic_plan' : 'force_custom_plan'}`);
    await client.query(`PREPARE one AS ${text}`);
    await client.query('BEGIN');
    const { rows } = await client.query(
      `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE one${literals === '' ? '' : ` (${literals})`}`,
    );
    return visited(explained.parse(rows)[0]['QUERY PLAN'][0].Plan);
  } finally {
    await client.end();
  }
};

describe.each(Object.entries(DISTRIBUTIONS))('lists of messages that are %s', (distribution, columns) => {
  let migrated: MigratedDatabase;
  let few: number[];

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    const insert = `INSERT INTO messages (recipient_phone, content, sent_status, sent_at, parked_as, parked_at, next_attempt_at, claimed_by)`;
    await migrated.database.query(`${insert} SELECT '+90', 'x', ${columns} FROM generate_series(1, ${ROWS}) n`);
    // One of each state at the very end, behind all the others.
    const rows = await migrated.database.query<{ id: number }>(
      `${insert} SELECT '+90', 'few', * FROM (VALUES ${FEW}) few RETURNING id`,
    );
    few = rows.map(({ id }) => id);
    await migrated.database.query(`
      INSERT INTO dispatch_jobs (due_at, state, claimed_to) SELECT now(), 'done', ${ROWS + 100} FROM generate_series(1, 5000)`);
    await migrated.database.query('VACUUM ANALYZE messages');
    await migrated.database.query('ANALYZE dispatch_jobs');
  });
  afterAll(() => migrated.drop());

  it.each([true, false])(
    'look at a page of them, or at a bounded number, planned for all values alike: %s',
    async (generic) => {
      for (const [state, statement] of Object.entries(LIST)) {
        for (const after of [Number.MIN_SAFE_INTEGER, ROWS / 2, ROWS + 3]) {
          const rows = await visitedBy(migrated, statement, [after, PAGE], generic);
          expect([state, after, rows <= VISITED_MAX, rows]).toEqual([state, after, true, rows]);
        }
      }
      for (const position of [
        ['infinity', Number.MAX_SAFE_INTEGER],
        ['-infinity', 0],
      ]) {
        expect(await visitedBy(migrated, LIST_SENT, [...position, PAGE], generic)).toBeLessThanOrEqual(PAGE);
      }
      const filter = ['failed', null, null, 'no such reason', new Date().toISOString(), Number.MIN_SAFE_INTEGER, 1_000];
      expect(await visitedBy(migrated, COUNT_SLICE, filter, generic)).toBeLessThanOrEqual(3_000);
      const note = [null, 'ali', null, '{}', null, true];
      expect(await visitedBy(migrated, REPLAY_SLICE, [...filter, ...note], generic)).toBeLessThanOrEqual(3_000);
    },
  );

  it('find what is behind all the others, page by page', async () => {
    const lists = new MessageLists(new ApiDatabase(migrated.dataSource));
    for (const [state, count] of Object.entries(EXPECTED) as [MessageState, number][]) {
      let found = 0;
      // Far enough behind to need more than one look.
      let after: number | null = ROWS - 2 * LOOK_MAX;
      let pages = 0;
      while (after !== null) {
        const page = await lists.list(state, after, 1_000);
        found += page.messages.filter(({ id }) => few.includes(id)).length;
        expect(page.messages.every((message) => message.state === state)).toBe(true);
        after = page.next;
        pages += 1;
      }
      expect([distribution, state, found]).toEqual([distribution, state, count]);
      expect(pages).toBeLessThanOrEqual(1 + (2 * LOOK_MAX) / 1_000);
    }
  });
});

it('lists of what operators did and of jobs look at a page, and at the jobs that wait', async () => {
  const migrated = await createMigratedDatabase();
  try {
    const waiting = 10_000;
    await migrated.database.query(`
      INSERT INTO operator_actions (actor, action) SELECT 'ali', 'retry' FROM generate_series(1, 50000);
      INSERT INTO dispatch_jobs (due_at, state) SELECT now(), 'done' FROM generate_series(1, 50000);
      INSERT INTO dispatch_jobs (due_at, state) SELECT now(), 'waiting' FROM generate_series(1, ${waiting});
      ANALYZE operator_actions; ANALYZE dispatch_jobs`);
    for (const generic of [true, false]) {
      for (const before of [Number.MAX_SAFE_INTEGER, 25_000, 0]) {
        expect(await visitedBy(migrated, LIST_ACTIONS, [before, PAGE], generic)).toBeLessThanOrEqual(PAGE);
      }
      expect(await visitedBy(migrated, ENDED, [], generic)).toBeLessThanOrEqual(waiting + 20);
      expect(await visitedBy(migrated, RUNNING, [], generic)).toBeLessThanOrEqual(waiting);
    }
  } finally {
    await migrated.drop();
  }
});
