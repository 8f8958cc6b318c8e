import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(180_000);

const OLD = 50_000;
const SENT = 200;

describe('retention beside sending', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(async () => await stage.strike());

  const count = async (condition: string) =>
    await stage.database.value<number>(`SELECT count(*) FROM messages WHERE ${condition}`);
  /** Messages without attempts, and attempts without a message. */
  const torn = async () =>
    await stage.database.value<number>(`
      SELECT (SELECT count(*) FROM messages WHERE content = 'old' AND id NOT IN (SELECT message_id FROM delivery_attempts))
        + (SELECT count(*) FROM delivery_attempts WHERE message_id NOT IN (SELECT id FROM messages))`);

  it('deletes 50,000 old messages while others are sent, through kill -9, and loses, doubles and tears nothing', async () => {
    const live = stage.live({ rate_limit: 10, retain_sent_days: 30 });
    const app = await stage.replica(live);
    await stage.database.query(`
      WITH stored AS (
        INSERT INTO messages (recipient_phone, content, created_at, sent_status, sent_at)
        SELECT '+905551111111', 'old', now() - interval '40 d', TRUE, now() AT TIME ZONE 'UTC' - interval '40 d'
        FROM generate_series(1, ${OLD}) RETURNING id
      )
      INSERT INTO delivery_attempts (message_id, job_id, started_at, number, outcome)
      SELECT id, 1, now() - interval '40 d', 1, 'accepted' FROM stored`);
    // Slow enough for a kill in the middle.
    await stage.database.query(`
      CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
      CREATE TRIGGER dawdle AFTER DELETE ON messages EXECUTE FUNCTION dawdle()`);
    const fresh = await stage.database.insertMessages(SENT);
    await app.logged(/^Retention: retain_sent_days is 30$/);
    expect(await count(`content = 'old'`)).toBe(OLD);

    // A changed limit counts after 10 s, long before the first look of the process.
    await app.changeLive({ ...live, retain_sent_days: 20 });
    await eventually(async () => expect(await count(`content = 'old'`)).toBeLessThan(OLD), 30_000);
    await app.end('SIGKILL');
    const left = await count(`content = 'old'`);
    expect([left > 0, await torn()]).toEqual([true, 0]);
    await stage.database.query('DROP TRIGGER dawdle ON messages');
    const successor = await stage.successor(app);
    // The lease of the one that was killed is over after a minute.
    await stage.database.query(`UPDATE retention_state SET lease_until = clock_timestamp()`);
    await successor.changeLive({ ...live, retain_sent_days: 10 });
    await eventually(async () => expect(await count(`content = 'old'`)).toBe(0), 60_000);
    expect(await torn()).toBe(0);

    await eventually(async () => expect(await count(`sent_status AND id >= ${fresh[0]}`)).toBe(SENT), 60_000);
    const keys = stage.receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(SENT);
    await eventually(async () => {
      const { working } = (await successor.get('/retention')).json<{ working: string | null }>();
      expect(working).toBeNull();
    });
    const view = (await successor.get('/retention')).json<{
      limits: object;
      trouble: null;
      walks: { name: string }[];
    }>();
    expect(view).toMatchObject({ limits: { retain_sent_days: 10 }, notes: [], trouble: null });
    expect(view.walks.map(({ name }) => name)).toContain('delete-sent');
    const ready = await successor.get('/health/ready');
    expect(ready.json<{ details: object }>().details).toMatchObject({ retention: { status: 'up' } });
    expect(await successor.end()).toBe(0);
  });
});
