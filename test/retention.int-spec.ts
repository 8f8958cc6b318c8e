import { LiveConfig } from '../src/config/live-config.js';
import { MemoryConfigSource } from '../src/config/memory-config.source.js';
import { ERASED } from '../src/messages/message-view.js';
import { phoneFault } from '../src/messages/message-rules.js';
import { createDataSource } from '../src/data-source.js';
import { RetentionDatabase } from '../src/database.js';
import { RetentionStore } from '../src/retention/retention-store.js';
import { Retention, type Sweep } from '../src/retention/retention.js';
import { SchemaGate } from '../src/schema-gate.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import type { TestDatabase } from './support/test-database.js';

jest.setTimeout(120_000);

let migrated: MigratedDatabase;
let database: TestDatabase;
let live: LiveConfig;

beforeEach(async () => {
  migrated = await createMigratedDatabase();
  ({ database } = migrated);
});
afterEach(async () => {
  await live.stop();
  await migrated.drop();
});

async function retentionWith(
  settings: Readonly<Record<string, string>>,
  dataSource = migrated.dataSource,
): Promise<Retention> {
  live = new LiveConfig([new MemoryConfigSource(settings)]);
  await live.start();
  return new Retention(new RetentionStore(new RetentionDatabase(dataSource)), live, new SchemaGate(dataSource));
}

/** As an hour later. */
async function sweepAgain(retention: Retention): Promise<Sweep> {
  await database.query(`UPDATE retention_state SET swept_at = swept_at - interval '1 h'`);
  return await retention.sweep();
}

/** Messages that all say of themselves what they are, each `days` old, with two attempts. */
async function store(text: string, columns: string, count = 1): Promise<void> {
  await database.query(`
    WITH stored AS (
      INSERT INTO messages (content, recipient_phone, created_at, sent_status, sent_at, parked_as, parked_at, claimed_by, next_attempt_at)
      SELECT '${text}', '+905551111111', now() - interval '40 d', ${columns} FROM generate_series(1, ${count})
      RETURNING id
    )
    INSERT INTO delivery_attempts (message_id, job_id, started_at, number, outcome, error)
    SELECT id, 1, now() - interval '40 d', number, 'accepted', 'words of the receiver'
    FROM stored, generate_series(1, 2) AS number`);
}

const contents = async () =>
  (await database.query<{ content: string }>('SELECT content FROM messages ORDER BY id')).map(({ content }) => content);
const attempts = async () => await database.value<number>('SELECT count(*) FROM delivery_attempts');
const days = (count: number) => `now() AT TIME ZONE 'UTC' - interval '${count} d'`;

const storeOneOfEach = async () => {
  await store('sent long ago', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`);
  await store('marked by hand', `TRUE, NULL, NULL, NULL, NULL, NULL`);
  await store('failed', `FALSE, NULL, 'failed', now() - interval '31 d', NULL, NULL`);
  await store('cancelled', `FALSE, NULL, 'cancelled', now() - interval '31 d', NULL, NULL`);
  await store('sent lately', `TRUE, ${days(29)}, NULL, NULL, NULL, NULL`);
  await store('failed lately', `FALSE, NULL, 'failed', now(), NULL, NULL`);
  await store('uncertain', `FALSE, NULL, 'uncertain', now() - interval '31 d', NULL, NULL`);
  await store('waiting', `FALSE, NULL, NULL, NULL, NULL, NULL`);
  await store('retry', `FALSE, NULL, NULL, NULL, NULL, now() - interval '31 d'`);
  const [job] = await database.query<{ id: number }>(
    `INSERT INTO dispatch_jobs (due_at, state) VALUES (now(), 'running') RETURNING id`,
  );
  await store('marked in the hands of a job', `TRUE, ${days(31)}, NULL, NULL, ${job?.id}, NULL`);
  await store('outcome unwritten', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`);
  await database.query(`INSERT INTO unwritten_outcomes (message_id, known_at, reason, retry_at)
    SELECT id, now(), 'x', now() FROM messages WHERE content = 'outcome unwritten'`);
};
const KEPT = [
  'sent lately',
  'failed lately',
  'uncertain',
  'waiting',
  'retry',
  'marked in the hands of a job',
  'outcome unwritten',
];

describe('retention', () => {
  it('keeps everything by default, but for what has a fixed limit', async () => {
    await storeOneOfEach();
    await database.query(`
      INSERT INTO intake_keys (key, body_sha256, status, answer, created_at)
        SELECT 'key ' || n, '', 201, '', now() - n * interval '1 h' FROM generate_series(1, 30) n;
      INSERT INTO imports (sha256, file_name, file_bytes, format, mode, started_at, finished_at)
        SELECT repeat(n::text, 64), 'a.csv', 1, 'csv', 'per-row', now() - n * interval '300 d',
          CASE WHEN n < 3 THEN now() - n * interval '300 d' END
        FROM generate_series(1, 3) n;
      INSERT INTO operator_actions (at, actor, action) SELECT now() - interval '400 d', 'ali', 'stop' FROM generate_series(1, 9)`);
    const retention = await retentionWith({});
    expect(await retention.sweep()).toBe('done');
    expect(await contents()).toHaveLength(11);
    expect(await attempts()).toBe(22);
    expect(await database.value('SELECT count(*) FROM operator_actions')).toBe(9);
    expect(await database.value('SELECT count(*) FROM intake_keys')).toBe(23);
    // One that is not finished is known for good: it goes on where it was broken off.
    expect(await database.query('SELECT finished_at IS NULL AS open FROM imports ORDER BY id')).toEqual([
      { open: false },
      { open: true },
    ]);
    expect(await retention.sweep()).toBe('busy');
  });

  it('deletes what was sent or parked long ago, with its attempts, and nothing else', async () => {
    await storeOneOfEach();
    await database.query(`DELETE FROM messages WHERE content = 'sent lately'`);
    await database.query(`INSERT INTO operator_actions (at, actor, action)
      SELECT now() - n * interval '1 d', 'ali', 'stop' FROM generate_series(20, 1, -1) n`);
    const retention = await retentionWith({
      retain_sent_days: '30',
      retain_parked_days: '30',
      retain_actions_days: '10',
    });
    expect(await retention.sweep()).toBe('done');
    expect(await contents()).toEqual(KEPT.filter((text) => text !== 'sent lately'));
    // Those without their message are gone as well.
    expect(await attempts()).toBe(2 * (KEPT.length - 1));
    expect(await database.value('SELECT count(*) FROM operator_actions')).toBe(9);
    expect(retention.trouble).toBeNull();
  });

  it('erases number, text and the words of the receiver, and keeps the rest; an erased message is never sent', async () => {
    await storeOneOfEach();
    const retention = await retentionWith({ erase_after_days: '30', retain_attempts_days: '35' });
    expect(await retention.sweep()).toBe('done');
    expect(await contents()).toEqual([...Array<string>(4).fill(ERASED), ...KEPT]);
    // Sent again, it is parked as failed.
    expect(phoneFault(ERASED)).not.toBeNull();
    expect(
      await database.value(
        `SELECT count(*) FROM messages WHERE (content = '[erased]') <> (recipient_phone = '[erased]')`,
      ),
    ).toBe(0);
    expect(await database.value(`SELECT count(*) FROM messages WHERE sent_at IS NOT NULL`)).toBe(4);
    // Attempts of messages that ended long ago are gone, those of others are as they were.
    expect(await attempts()).toBe(2 * KEPT.length + 6);
    expect(await database.value(`SELECT count(*) FROM delivery_attempts WHERE error IS NULL`)).toBe(6);
  });

  it('tells of rows that a trigger silently keeps, and does those around them', async () => {
    await store('old', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`, 300);
    await database.query(`
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF old.id IN (7, 200) THEN RETURN CASE WHEN TG_OP = 'UPDATE' THEN old END; END IF;
        RETURN CASE WHEN TG_OP = 'UPDATE' THEN new ELSE old END; END $$;
      CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION keep()`);
    const erasing = await retentionWith({ erase_after_days: '30' });
    expect(await erasing.sweep()).toBe('done');
    expect((await contents()).filter((text) => text === ERASED)).toHaveLength(298);
    expect(erasing.trouble).toMatch(/except 2 that PostgreSQL keeps \(a trigger or a row policy kept the row/);
    await live.stop();
    const deleting = await retentionWith({ retain_sent_days: '30' });
    expect(await deleting.sweep()).toBe('done');
    expect([await contents(), await attempts()]).toEqual([['old', 'old'], 4]);
  });

  it('steps over rows that PostgreSQL refuses or silently keeps, tells of them, and comes back to them', async () => {
    await store('old', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`, 12_000);
    await store('parked', `FALSE, NULL, 'failed', now() - interval '31 d', NULL, NULL`, 500);
    // A key of another table for some, scattered, one that is checked at the end, and a trigger for others.
    await database.query(`
      CREATE TABLE bills (message_id BIGINT REFERENCES messages (id));
      CREATE TABLE late (message_id BIGINT REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED);
      INSERT INTO bills SELECT id FROM messages WHERE id % 100 = 7;
      INSERT INTO late SELECT id FROM messages WHERE id % 1000 = 9;
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF old.id BETWEEN 3000 AND 3009 THEN RETURN NULL; END IF;
        IF old.id BETWEEN 12100 AND 12102 THEN RAISE EXCEPTION 'not % %', old.recipient_phone, old.content; END IF;
        RETURN old; END $$;
      CREATE TRIGGER keep BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION keep()`);
    const retention = await retentionWith({ retain_sent_days: '30', retain_parked_days: '30' });
    expect(await retention.sweep()).toBe('done');
    const kept = `id % 100 = 7 OR id % 1000 = 9 OR id BETWEEN 3000 AND 3009 OR id BETWEEN 12100 AND 12102`;
    expect(await database.value(`SELECT count(*) FROM messages WHERE NOT (${kept})`)).toBe(0);
    const left = await database.value<number>(`SELECT count(*) FROM messages`);
    expect(left).toBe(140 + 9);
    expect(await attempts()).toBe(2 * left);
    expect(retention.trouble).toMatch(/deletes sent messages .* except 140 that PostgreSQL keeps/);
    expect(retention.trouble).toMatch(/deletes failed and cancelled messages .* except 9 that PostgreSQL keeps/);
    expect(retention.trouble).not.toMatch(/\+90555|parked\)/);

    // Nothing of it is tried again within the day.
    expect(await sweepAgain(retention)).toBe('done');
    expect(await database.value(`SELECT sum(refused)::int FROM retention_walks`)).toBe(149);
    await database.query(`DROP TABLE bills, late; DROP TRIGGER keep ON messages`);
    await database.query(`UPDATE retention_walks SET begun_at = begun_at - interval '25 h'`);
    expect(await sweepAgain(retention)).toBe('done');
    expect([await contents(), await attempts(), retention.trouble]).toEqual([[], 0, null]);
  });

  it('keeps a row of a table that inherits, whatever is done with another one of its id', async () => {
    await store('old', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`, 3);
    await database.query(`
      CREATE TABLE messages_archive () INHERITS (messages);
      INSERT INTO messages_archive (id, recipient_phone, content, sent_status, sent_at)
        SELECT n, '+905551111112', 'lately ' || n, n < 3, CASE WHEN n < 3 THEN now() END FROM generate_series(1, 3) n;
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF old.id = 2 THEN RAISE 'no'; END IF; RETURN old; END $$;
      CREATE TRIGGER refuse BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const retention = await retentionWith({ retain_sent_days: '30' });
    expect(await retention.sweep()).toBe('done');
    expect((await contents()).toSorted()).toEqual(['lately 1', 'lately 2', 'lately 3', 'old']);
  });

  it('steps over the rows for which a trigger asserts or cancels, and over no other, and tells no data of theirs', async () => {
    await store('old', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`, 200);
    await database.query(`
      CREATE TABLE hist_905554443322 (x INT NOT NULL);
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        ASSERT old.id <> 50, 'not this one';
        IF old.id = 51 THEN RAISE 'no' USING ERRCODE = '57014'; END IF;
        IF old.id = 52 THEN INSERT INTO hist_905554443322 VALUES (NULL); END IF;
        RETURN old; END $$;
      CREATE TRIGGER refuse BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const retention = await retentionWith({ retain_sent_days: '30' });
    expect(await retention.sweep()).toBe('done');
    expect(await contents()).toHaveLength(3);
    expect(retention.trouble).toMatch(/except 3 that PostgreSQL keeps/);
    expect(await database.value<string>(`SELECT string_agg(reason, ' ') FROM retention_walks`)).not.toContain('90555');
  });

  it('counts nothing as done that a later trigger puts back, whether of the table or of one far below it', async () => {
    await store('old', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`, 200);
    await database.query(`
      CREATE TABLE archive () INHERITS (messages);
      CREATE TABLE older () INHERITS (archive);
      INSERT INTO older SELECT * FROM messages WHERE id > 150;
      DELETE FROM ONLY messages WHERE id > 150;
      CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN
          EXECUTE format('INSERT INTO %I SELECT $1.*', TG_TABLE_NAME) USING old;
        ELSIF new.content = '[erased]' THEN
          UPDATE messages SET content = old.content, recipient_phone = old.recipient_phone WHERE id = old.id;
        END IF;
        RETURN NULL; END $$;
      CREATE TRIGGER put_back AFTER UPDATE OR DELETE ON messages FOR EACH ROW WHEN (old.id % 10 = 0) EXECUTE FUNCTION put_back();
      CREATE TRIGGER put_back AFTER UPDATE OR DELETE ON older FOR EACH ROW WHEN (old.id % 10 = 0) EXECUTE FUNCTION put_back()`);
    const erasing = await retentionWith({ erase_after_days: '30' });
    expect(await erasing.sweep()).toBe('done');
    const done = async () => await database.query(`SELECT done, refused FROM retention_walks WHERE done + refused > 0`);
    expect((await contents()).filter((text) => text !== ERASED)).toHaveLength(20);
    expect(await done()).toEqual([{ done: 180, refused: 20 }]);
    await live.stop();
    await database.query(`DELETE FROM retention_walks`);
    const deleting = await retentionWith({ retain_sent_days: '30' });
    expect(await deleting.sweep()).toBe('done');
    expect(await contents()).toHaveLength(20);
    expect(await done()).toEqual([{ done: 180, refused: 20 }]);
  });

  it('leaves what somebody has locked to the next time', async () => {
    await store('old', `TRUE, ${days(31)}, NULL, NULL, NULL, NULL`, 20);
    const other = await database.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM messages WHERE id IN (1, 11) FOR UPDATE');
    const retention = await retentionWith({ retain_sent_days: '30' });
    expect(await retention.sweep()).toBe('done');
    expect(await contents()).toHaveLength(2);
    await other.end();
    expect(await sweepAgain(retention)).toBe('done');
    expect([await contents(), await attempts(), retention.trouble]).toEqual([[], 0, null]);
  });

  it('waits for the limit to be known, and to be what the fleet agreed on', async () => {
    await storeOneOfEach();
    const unknown = await retentionWith({ retain_sent_days: '3 days', erase_after_days: '30' });
    live.setFleet([
      { key: 'erase_after_days', value: 90, source: 'etcd', origin: 'a', version: '9', setAt: Date.now() },
    ]);
    expect(await unknown.sweep()).toBe('done');
    expect(await contents()).toHaveLength(11);
    expect(unknown.inForce.notes.join('\n')).toMatch(
      /Nothing goes by erase_after_days: erase_after_days is 30 .*\nretain_sent_days is unknown/,
    );
    expect(await database.value(`SELECT count(*) FROM messages WHERE content = '[erased]'`)).toBe(0);
  });

  it('tells which right is missing, and does the rest', async () => {
    await storeOneOfEach();
    await store('old', `TRUE, ${days(61)}, NULL, NULL, NULL, NULL`);
    const role = `weak_${Date.now()}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'weak'`);
    await database.query(`GRANT SELECT, INSERT, UPDATE ON messages TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON scheduler_state, dispatch_jobs, delivery_attempts, operator_actions,
        imports, intake_keys, unwritten_outcomes, fleet_settings, retention_state, retention_walks TO ${role}`);
    const url = new URL(database.url);
    url.username = role;
    url.password = 'weak';
    const weak = createDataSource(url.href);
    await weak.initialize();
    try {
      const retention = await retentionWith({ retain_sent_days: '60', erase_after_days: '30' }, weak);
      expect(await retention.sweep()).toBe('done');
      expect(retention.trouble).toBe(
        `${role} may not delete messages, so none is deleted until GRANT DELETE ON messages TO ${role}`,
      );
      expect((await contents()).filter((text) => text === '[erased]')).toHaveLength(5);
      await database.query(`GRANT DELETE ON messages TO ${role}`);
      expect(await sweepAgain(retention)).toBe('done');
      expect([(await contents()).length, retention.trouble]).toEqual([11, null]);
    } finally {
      await weak.destroy();
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});
