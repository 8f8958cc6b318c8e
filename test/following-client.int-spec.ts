import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { primaryFinder } from '../src/data-source.js';
import { databaseFaultOf } from '../src/database-fault.js';
import { isDatabaseOutage, leftNothingDone } from '../src/database-outage.js';
import { replyFor } from '../src/error-mapping.js';
import { FollowingClient } from '../src/following-client.js';
import { eventually } from './support/eventually.js';
import { TestDatabase } from './support/test-database.js';

/** Keeps the event loop from its sockets and timers, as a moment without a processor does. */
function stall(forMs: number): void {
  const until = performance.now() + forMs;
  while (performance.now() < until);
}

describe('a connection whose server must answer within a time', () => {
  let database: TestDatabase;
  let client: FollowingClient;
  const errors: Error[] = [];

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  const connect = async (answerWithinMs: number) => {
    client = new FollowingClient({ primary: primaryFinder(database.url), query_timeout: answerWithinMs });
    client.on('error', (error: Error) => errors.push(error));
    await client.connect();
  };
  afterEach(async () => {
    await client.end().catch(() => undefined);
    errors.length = 0;
  });
  afterAll(() => database.drop());

  it('breaks when it does not, and fails the query as an outage', async () => {
    await connect(400);
    const failure = await client.query('SELECT pg_sleep(60)').then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ message: 'Query read timeout' });
    expect(isDatabaseOutage(failure)).toBe(true);
    await expect(client.query('SELECT 1')).rejects.toThrow();
    expect(errors).toEqual([failure]);
  });

  it('has the server end the query that it did not wait for', async () => {
    await connect(400);
    await expect(client.query('SELECT pg_sleep(60)')).rejects.toThrow('Query read timeout');
    await eventually(async () => {
      const active = await database.query(
        `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'`,
      );
      expect(active).toEqual([]);
    });
  });

  it('takes an answer that came in time although the process had no processor until the time was over', async () => {
    await connect(600);
    const asked = client.query('SELECT 1 AS one');
    stall(900);
    expect((await asked).rows).toEqual([{ one: 1 }]);
    expect(errors).toEqual([]);
  });

  it('gives its whole time to a query that is asked when such an answer is read', async () => {
    await connect(600);
    const asked = client.query('SELECT 1').then(() => client.query('SELECT pg_sleep(0.2)'));
    stall(900);
    await asked;
    expect(errors).toEqual([]);
  });

  it('breaks after such a moment when there is no answer', async () => {
    await connect(600);
    const asked = client.query('SELECT pg_sleep(60)');
    stall(900);
    await expect(asked).rejects.toThrow('Query read timeout');
  });

  it.each([
    ['says nothing', () => undefined],
    ['says what no PostgreSQL does', (socket: Socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('fails as an outage that did nothing when the server accepts and %s', async (_what, answer) => {
    const server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const primary = primaryFinder(`postgres://postgres@127.0.0.1:${port}/x?connect_timeout=1`);
    client = new FollowingClient({ primary });
    client.on('error', () => undefined);
    const failure: unknown = await client.connect().catch((error: unknown) => error);
    server.close();
    expect(failure).toBeInstanceOf(Error);
    expect([isDatabaseOutage(failure), leftNothingDone(failure)]).toEqual([true, true]);
    expect(databaseFaultOf(failure)).toBe('outage');
    expect(replyFor(failure, 'POST')).toMatchObject({ status: 503, body: { code: 'database.unavailable' } });
  });

  it('stays when nothing is asked for longer than that, inside a transaction too', async () => {
    await connect(1_500);
    await client.query('BEGIN');
    await sleep(2_000);
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(errors).toEqual([]);
  });

  it('gives each query that time anew', async () => {
    await connect(1_500);
    for (let count = 0; count < 4; count += 1) await client.query('SELECT pg_sleep(0.6)');
    expect(errors).toEqual([]);
  });

  it('counts from a query that comes after a pause', async () => {
    await connect(400);
    await sleep(1_000);
    await expect(client.query('SELECT pg_sleep(60)')).rejects.toThrow('Query read timeout');
  });
});
