import type { Client } from 'pg';
import { watchDoneJobs } from './support/done-jobs.js';
import { eventually } from './support/eventually.js';
import { accept, answer } from './support/receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

const TAKEN_OVER_MS = 20_000;

const put = (...columns: string[]) => columns.map((column) => `new.${column} := old.${column}`).join('; ');

describe('rows that PostgreSQL refuses', () => {
  let stage: Stage;
  let other: Client;

  beforeEach(async () => {
    stage = await Stage.set();
    other = await stage.database.connect();
  });
  afterEach(async () => {
    await other.end();
    await stage.strike();
  });

  const query = async (text: string) => await stage.database.query(text);
  /** Legacy rows break a NOT VALID check; other rows meet a trigger that refuses or silently skips a change. */
  const makeHostile = async (legacy: string, condition: Readonly<Record<string, string>>) => {
    await query(`UPDATE messages SET content = 'legacy' WHERE ${legacy}`);
    await query(`ALTER TABLE messages ADD CONSTRAINT no_legacy CHECK (content <> 'legacy') NOT VALID`);
    const branches = Object.entries(condition).map(([act, when]) => `IF ${when} THEN ${act}; END IF;`);
    await query(
      `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${branches.join(' ')} RETURN new; END $$`,
    );
    await query(`CREATE TRIGGER guard BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION guard()`);
  };
  const RAISE = `RAISE EXCEPTION 'no mark for % (text: %)', new.recipient_phone, new.content`;
  const requests = () => stage.receiver.ledger.length;
  const repeated = () => {
    const keys = stage.receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    return keys.length - new Set(keys).size;
  };

  it('hold up no other message, are named, and are sent once, whatever ends the process', async () => {
    const app = await stage.replica({ rate_limit: 20, auto_sending: false });
    const ids = await stage.database.insertMessages(40);
    const at = (index: number) => ids[index] ?? 0;
    // Claims of the first two are refused, that of the third is skipped; marks of 10 are refused, of 11 skipped.
    await makeHostile(`id IN (${at(0)}, ${at(1)})`, {
      [RAISE]: `new.sent_status AND new.id = ${at(10)}`,
      'RETURN NULL': `(new.sent_status AND new.id = ${at(11)}) OR (new.claimed_by IS NOT NULL AND new.id = ${at(2)})`,
    });
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(35), 30_000);
    expect(requests()).toBe(37);
    await eventually(async () => {
      const open = (await stage.jobs()).filter(({ state }) => state === 'running');
      expect(open).toEqual([]);
    });
    const said = app.lines.filter(({ message }) => /unwritten_outcomes/.test(message));
    const texts = said.map(({ message }) => message).join('\n');
    expect(texts).toContain(`Messages ${at(0)}, ${at(1)} cannot be claimed`);
    expect(texts).toContain('SQLSTATE 23514, table messages, constraint no_legacy');
    expect(texts).toContain(`The outcomes of messages ${at(10)} cannot be written`);
    expect(texts).toContain('SQLSTATE P0001, function guard');
    expect(app.printed.join('\n')).not.toMatch(/\+90555|text 11/);
    await eventually(async () => {
      const { this_replica } = (await app.get('/scheduler')).json<{ this_replica: { trouble: string | null } }>();
      expect(this_replica.trouble).toMatch(
        /2 outcomes cannot be written to messages and [23] messages cannot be claimed/,
      );
    });
    const shown = (await app.get(`/messages/${at(10)}`)).json<{ state: string; parked_reason: string }>();
    expect(shown.parked_reason).toMatch(/accepted.*cannot be written.*P0001, function guard/);
    expect((await app.post('/stop')).status).toBe(200);
    await app.post('/start');

    await app.end('SIGKILL');
    const successor = await stage.successor(app);
    await stage.database.insertMessages(3);
    await eventually(async () => expect(await stage.sentCount()).toBe(38), TAKEN_OVER_MS);
    expect(repeated()).toBe(0);

    await query(`DROP TRIGGER guard ON messages`);
    await query(`ALTER TABLE messages DROP CONSTRAINT no_legacy`);
    await query(`UPDATE unwritten_outcomes SET retry_at = now()`);
    await stage.database.insertMessages(1);
    await eventually(async () => expect(await stage.sentCount()).toBe(44), TAKEN_OVER_MS);
    expect(repeated()).toBe(0);
    expect(await stage.database.value(`SELECT count(*) FROM unwritten_outcomes`)).toBe(0);
    expect(await successor.end()).toBe(0);
  });

  it('by the thousand at the head are set aside within a slot', async () => {
    const app = await stage.replica({ rate_limit: 10, auto_sending: false });
    await stage.database.insertMessages(2_010);
    await makeHostile(`id <= (SELECT min(id) + 1999 FROM messages)`, {});
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(10), 30_000);
    expect(requests()).toBe(10);
    await eventually(
      async () => expect(await stage.database.value(`SELECT count(*) FROM unwritten_outcomes`)).toBe(2_000),
      30_000,
    );
    expect(app.said(/cannot be claimed/).length).toBeLessThan(4);
  });

  it('or somebody keeps locked in flight end with the process: the others are marked, and nothing is sent twice', async () => {
    const app = await stage.replica({ rate_limit: 5, webhook_concurrency: 5 });
    stage.receiver.behave = stage.receiver.hold;
    const [locked] = await stage.database.insertMessages(5);
    await eventually(() => expect(stage.receiver.open).toBe(1));
    await other.query('BEGIN');
    await other.query('SELECT FROM messages WHERE id = $1 FOR UPDATE', [locked]);
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => expect(await stage.sentCount()).toBe(4), 15_000);
    await eventually(async () => {
      const open = (await stage.jobs()).filter(({ state }) => state === 'running');
      expect(open).toEqual([]);
    });
    expect((await app.post('/stop')).status).toBe(200);
    await app.post('/start');
    await app.end('SIGKILL');
    await stage.successor(app);
    await other.query('COMMIT');
    await eventually(async () => expect(await stage.sentCount()).toBe(5), TAKEN_OVER_MS);
    expect(requests()).toBe(5);
    expect(repeated()).toBe(0);
  });

  it('or a trigger puts back are requested once at most, also with hold and after restarts, and are told by id', async () => {
    const app = await stage.replica({ rate_limit: 20, auto_sending: false, on_uncertain: 'hold' });
    const ids = await stage.database.insertMessages(40);
    const at = (index: number) => ids[index] ?? 0;
    await makeHostile('FALSE', {
      'new.sent_status := FALSE': `new.id = ${at(2)}`,
      'new := old': `new.id = ${at(3)} AND new.sent_status OR new.id = ${at(4)} AND new.claimed_by IS NOT NULL`,
      'new.claimed_by := NULL': `new.id = ${at(5)}`,
      'new.parked_as := NULL': `new.id = ${at(6)}`,
      [put('next_attempt_at', 'attempts')]: `new.id = ${at(7)}`,
    });
    await query(`
      CREATE FUNCTION revert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_trigger_depth() = 1 AND new.id = ${at(8)} AND new.claimed_by IS NOT NULL THEN
          UPDATE messages SET claimed_by = NULL, claim_fence = NULL WHERE id = new.id;
        ELSIF pg_trigger_depth() = 1 AND new.id = ${at(9)} AND new.sent_status THEN
          UPDATE messages SET sent_status = FALSE WHERE id = new.id;
        END IF;
        RETURN NULL;
      END $$`);
    const watch = await watchDoneJobs(stage.database);
    await query(`CREATE TRIGGER revert AFTER UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION revert()`);
    stage.receiver.behave = (received, response) => {
      const status = { 'text 7': 400, 'text 8': 503 }[received.content];
      void (status === undefined ? accept : answer(status))(received, response);
    };
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(32), 30_000);
    const jobs = async () =>
      await stage.database.value<number>(`SELECT count(*) FROM dispatch_jobs WHERE state = 'done'`);
    const slotsPass = async (count: number) => {
      const before = await jobs();
      await eventually(async () => expect(await jobs()).toBeGreaterThanOrEqual(before + count), 30_000);
    };
    await slotsPass(4);
    // Three of the eight were never claimed.
    expect(requests()).toBe(37);
    await app.end('SIGKILL');
    const successor = await stage.successor(app);
    await slotsPass(3);
    await stage.database.insertMessages(2);
    await eventually(async () => expect(await stage.sentCount()).toBe(34), TAKEN_OVER_MS);
    expect(requests()).toBe(39);
    expect(repeated()).toBe(0);
    // What cannot be claimed silences nothing of what was requested and cannot be written, although the reason is the same.
    const said = (text: RegExp) => app.said(text).flatMap(({ message_ids }) => message_ids as number[]);
    expect(said(/cannot be claimed/).toSorted((left, right) => left - right)).toEqual([at(4), at(5), at(8)]);
    const unwritten = [at(2), at(3), at(6), at(7), at(9)];
    expect(unwritten).toEqual(expect.arrayContaining(said(/outcomes of messages .* cannot be written/)));
    expect(said(/outcomes of messages .* cannot be written/).length).toBeGreaterThan(0);
    for (const id of unwritten) {
      const { parked_reason } = (await successor.get(`/messages/${id}`)).json<{ parked_reason: string }>();
      expect(parked_reason).toMatch(/cannot be written to messages|the receiver refused the message/);
    }
    const { this_replica } = (await successor.get('/scheduler')).json<{ this_replica: { trouble: string | null } }>();
    expect(this_replica.trouble).toMatch(/5 outcomes cannot be written to messages and 3 messages cannot be claimed/);

    await query(`DROP TRIGGER guard ON messages; DROP TRIGGER revert ON messages`);
    await query(`UPDATE unwritten_outcomes SET retry_at = now()`);
    await stage.database.insertMessages(1);
    // The three, the one more, and those whose outcomes say sent; one is failed and one waits.
    await eventually(async () => expect(await stage.sentCount()).toBe(41), TAKEN_OVER_MS);
    expect(await watch.leftClaimed()).toEqual([]);
    expect(repeated()).toBe(0);
  });
});
