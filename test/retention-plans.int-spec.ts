import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { ExplainedDatabase } from './support/explained-database.js';
import { PostgresServer } from './support/postgres-server.js';
import { WALKS } from '../src/retention/retention.js';
import type { Place, Walk } from '../src/retention/walk.js';

jest.setTimeout(180_000);

const ROWS = 20_000;
const BATCH = 50;
/** Rows of the batch, of its attempts, and what is looked up for each; not the table. */
const VISITED_MAX = 20 * BATCH;

/** Of its own: what other tests keep open has old versions of rows stay, and statements walk over them. */
let server: PostgresServer;
let migrated: MigratedDatabase;
beforeAll(async () => {
  server = await PostgresServer.started();
  migrated = await createMigratedDatabase(server.url);
});
afterAll(async () => {
  await migrated.drop();
  await server.remove();
});

const DAYS_AGO = `now() - (60 - n * 60.0 / ${ROWS}) * interval '1 d'`;
/** Each a table of its own kind; a third is too young to go. */
const SHAPES: Readonly<Record<string, string>> = {
  sent: `TRUE, (${DAYS_AGO}) AT TIME ZONE 'UTC', NULL, NULL`,
  'marked by hand': `TRUE, NULL, NULL, NULL`,
  failed: `FALSE, NULL, 'failed', ${DAYS_AGO}`,
  uncertain: `FALSE, NULL, 'uncertain', ${DAYS_AGO}`,
  waiting: `FALSE, NULL, NULL, NULL`,
};

async function useAll(database: ExplainedDatabase, place: Place | null): Promise<void> {
  const values = ({ hasPlace, name }: Walk) => [
    BATCH,
    30,
    Date.now(),
    ...(hasPlace ? [name.startsWith('attempts-without') ? null : (place?.at ?? null), place?.id ?? null] : []),
  ];
  for (const walk of WALKS) {
    await database.query(walk.batch, values(walk));
    if (walk.singly === null) continue;
    await database.query(walk.singly.look, values(walk));
    await database.query(walk.singly.statement, [BATCH, ...values(walk).slice(1)]);
  }
}

it('statements of retention look at a batch, however many rows there are of whatever kind', async () => {
  const { database, dataSource } = migrated;
  for (const table of ['messages', 'delivery_attempts', 'operator_actions', 'intake_keys', 'imports', 'dispatch_jobs'])
    await database.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
  // Plans that were made while the tables were empty, and stay.
  const early = await ExplainedDatabase.connect(dataSource, 'force_generic_plan');
  await early.costsOf(() => useAll(early, null));
  await database.query(`
    INSERT INTO operator_actions (at, actor, action) SELECT ${DAYS_AGO}, 'ali', 'stop' FROM generate_series(1, ${ROWS}) n;
    INSERT INTO intake_keys (key, body_sha256, status, answer, created_at)
      SELECT n, '', 201, '', ${DAYS_AGO} FROM generate_series(1, ${ROWS}) n;
    INSERT INTO imports (sha256, file_name, file_bytes, format, mode, finished_at)
      SELECT repeat('a', 64), 'a', 1, 'csv', 'per-row', now() - interval '500 d' FROM generate_series(1, ${ROWS}) n;
    INSERT INTO dispatch_jobs (due_at, state) SELECT now(), 'done' FROM generate_series(1, ${ROWS}) n`);
  const beyond: unknown[] = [];
  const check = async (explainedBy: ExplainedDatabase, shape: string, planned: string) => {
    const middle = { at: (Date.now() - 45 * 86_400_000) * 1_000, id: ROWS / 2 };
    for (const place of [null, middle]) {
      const costs = await explainedBy.costsOf(() => useAll(explainedBy, place));
      beyond.push(...costs.filter(({ rows }) => rows > VISITED_MAX).map((cost) => ({ shape, planned, ...cost })));
    }
  };
  for (const [shape, columns] of Object.entries(SHAPES)) {
    await database.query(`TRUNCATE messages, delivery_attempts, unwritten_outcomes RESTART IDENTITY`);
    await database.query(`
      INSERT INTO messages (recipient_phone, content, created_at, sent_status, sent_at, parked_as, parked_at)
        SELECT '+905551111111', 'x', ${DAYS_AGO}, ${columns} FROM generate_series(1, ${ROWS}) n;
      INSERT INTO delivery_attempts (message_id, job_id, started_at, number, outcome)
        SELECT n, 1, ${DAYS_AGO}, 1, 'accepted' FROM generate_series(1, ${ROWS}) n`);
    await check(early, shape, 'for all values alike, while the tables were empty');
    const fresh = await ExplainedDatabase.connect(dataSource, 'force_custom_plan');
    await check(fresh, shape, 'for these values, without statistics');
    await database.query('ANALYZE');
    await check(fresh, shape, 'for these values');
    fresh.release();
  }
  early.release();
  expect(beyond).toEqual([]);
});
