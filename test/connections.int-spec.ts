import { randomBytes } from 'node:crypto';
import { ApiDatabase, Database, type Statement } from '../src/database.js';
import { createDataSource, DEFAULT_PLAN, type ServiceDataSource } from '../src/data-source.js';
import { replyFor } from '../src/error-mapping.js';
import { eventually } from './support/eventually.js';
import { TestDatabase } from './support/test-database.js';

const statement = (text: string): Statement => ({ name: `test.${text.length}`, text });
const LOCK = 4711;
const HELD = statement(`SELECT pg_advisory_xact_lock(${LOCK})`);
const ONE = statement('SELECT 1 AS one');

const each = async (run: () => Promise<unknown>) => await Promise.all(Array.from({ length: 30 }, run));

describe('the connections of a process', () => {
  let database: TestDatabase;
  let dataSource: ServiceDataSource;
  let role: string;

  beforeEach(async () => {
    database = await TestDatabase.create();
    role = `role_${randomBytes(6).toString('hex')}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x' CONNECTION LIMIT 3`);
  });
  afterEach(async () => {
    await dataSource.destroy();
    await database.query(`DROP ROLE ${role}`);
    await database.drop();
  });

  const asRole = () => {
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'x'];
    return url.href;
  };

  it('leave those of sending alone when callers of the API use up theirs, whose queue is bounded', async () => {
    dataSource = await createDataSource(database.url, { ...DEFAULT_PLAN, apiConnections: 2 }).initialize();
    const [api, dispatch] = [new ApiDatabase(dataSource), new Database(dataSource)];
    const holder = await database.connect();
    await holder.query(HELD.text.replace('xact_', ''));
    const calls = Array.from({ length: 600 }, () =>
      api.query(HELD).then(
        () => 'answered',
        (error: unknown) => error,
      ),
    );
    await eventually(async () => expect(await database.blocked()).toHaveLength(2));

    expect(await dispatch.query(ONE)).toEqual([{ one: 1 }]);
    expect(await dispatch.queryAtOnce(ONE)).toEqual([{ one: 1 }]);
    await holder.end();
    const refused = (await Promise.all(calls)).filter((outcome) => outcome !== 'answered');
    // Those that have a connection, or wait for one that is idle, are not in the queue.
    expect(refused.length).toBeGreaterThanOrEqual(600 - 4 - 500);
    expect(replyFor(refused[0], 'POST')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      body: { code: 'database.busy' },
    });
  });

  it('wait for one of their own when the server has none left', async () => {
    dataSource = await createDataSource(asRole()).initialize();
    const [api, dispatch] = [new ApiDatabase(dataSource), new Database(dataSource)];
    await each(() => api.query(ONE));
    await each(() => dispatch.query(ONE));
    await Promise.all([
      each(() => api.query(ONE)),
      each(() => dispatch.query(ONE)),
      each(() => dispatch.queryAtOnce(ONE)),
    ]);
  });

  it('have their own isolation level and time limits, whatever the role has', async () => {
    await database.query(`
      ALTER ROLE ${role} SET default_transaction_isolation = 'serializable';
      ALTER ROLE ${role} SET statement_timeout = 100;
      ALTER ROLE ${role} SET lock_timeout = 50`);
    dataSource = await createDataSource(asRole()).initialize();
    const settings = statement(`
      SELECT current_setting('transaction_isolation') AS level, current_setting('statement_timeout') AS statement,
        current_setting('lock_timeout') AS lock`);
    expect(await new ApiDatabase(dataSource).query(settings)).toEqual([
      { level: 'read committed', statement: '5s', lock: '0' },
    ]);
    expect(await new Database(dataSource).query(settings)).toEqual([
      { level: 'read committed', statement: '15s', lock: '0' },
    ]);
  });
});
