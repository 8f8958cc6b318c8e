import { Logger } from '@nestjs/common';
import { Database } from '../src/database.js';
import { MessageClaims } from '../src/messages/message-claims.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { accept, answer, Receiver, type Behaviour, type Received } from './support/receiver.js';
import { serverPort } from './support/server-port.js';
import { SlotRunner } from './support/slot-runner.js';
import type { TestDatabase } from './support/test-database.js';

Logger.overrideLogger(false);
jest.setTimeout(60_000);

const INTERVAL_S = 60;
const hangUp: Behaviour = (_received, response) => void response.destroy();

/** The id of the message. */
const numberOf = ({ headers }: Received) => Number(String(headers['idempotency-key']).split('-').at(-1));

describe('trouble of the way, and trouble of single messages', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let receiver: Receiver;
  let runner: SlotRunner;

  beforeAll(async () => {
    receiver = await Receiver.start();
  });
  afterAll(() => receiver.stop());

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    receiver.ledger.length = 0;
    receiver.behave = accept;
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await runner.end();
    await migrated.drop();
  });

  const begin = async (settings: Readonly<Record<string, string>> = {}) => {
    runner = new SlotRunner(migrated, {
      scheduler_interval: String(INTERVAL_S),
      webhook_url: receiver.url,
      ...settings,
    });
    await runner.begin();
  };
  /** Answers `bad` where `isBad`, and accepts the others. */
  const behave = (isBad: (number: number) => boolean, bad: Behaviour) => {
    receiver.behave = (received, response) => (isBad(numberOf(received)) ? bad : accept)(received, response);
  };
  const row = async (id: number) => {
    const [message] = await database.query<{
      attempts: number;
      sit_outs: number;
      parked_as: string | null;
      parked_reason: string | null;
    }>(`SELECT attempts, sit_outs, parked_as, parked_reason FROM messages WHERE id = $1`, [id]);
    return message;
  };
  const sent = async (first = 1) =>
    await database.value<number>(`SELECT count(*) FROM messages WHERE sent_status AND id >= $1`, [first]);
  const charged = async () => await database.value<number>(`SELECT sum(attempts) FROM messages WHERE NOT sent_status`);

  it.each([401, 402, 403, 404, 405, 406, 410, 412, 451, 302])(
    'sends the others in the same slot when one message gets a %i, and gives that one up with the gateway’s words',
    async (status) => {
      await begin({ max_attempts: '2' });
      await database.insertMessages(5);
      behave((number) => number === 1, answer(status, 'No such number.'));
      expect(await runner.slot(5)).toMatchObject({ sent: 4, note: null });
      expect(await row(1)).toMatchObject({ attempts: 0, sit_outs: 1, parked_as: null });

      for (let retry = 0; retry < 2; retry += 1) {
        await database.insertMessages(1);
        await runner.pass(3_600);
        await runner.slot(5);
        await database.insertMessages(1);
        await runner.slot(5);
      }
      expect(await row(1)).toMatchObject({
        attempts: 2,
        parked_as: 'failed',
        parked_reason: `given up after 2 attempts: HTTP ${status}: No such number.`,
      });
      expect(await sent()).toBe(8);
    },
  );

  it('parks no message for its own 503 while another replica gets messages through', async () => {
    await begin({ max_attempts: '2' });
    await database.insertMessages(8);
    receiver.behave = answer(503);
    for (let slot = 1; slot <= 6; slot += 1) {
      expect(await runner.slot(2)).toMatchObject({ sent: 0 });
      // As the other one does meanwhile, from the end of the backlog.
      if (slot <= 3)
        await database.query(
          `UPDATE messages SET sent_status = TRUE, sent_at = clock_timestamp() AT TIME ZONE 'UTC'
           WHERE id = (SELECT max(id) FROM messages WHERE NOT sent_status)`,
        );
      await runner.pass(3_600);
    }
    expect(receiver.ledger.length).toBe(12);
    expect(await database.value('SELECT count(*) FROM messages WHERE parked_as IS NOT NULL')).toBe(0);
    expect(await database.value('SELECT max(attempts) FROM messages')).toBe(1);

    receiver.behave = accept;
    for (let slot = 0; slot < 3; slot += 1) {
      await runner.slot(2);
      await runner.pass(3_600);
    }
    expect(await sent()).toBe(8);
  });

  it.each([1, 2])('does so with %i messages per slot as well', async (budget) => {
    await begin({ max_attempts: '2' });
    await database.insertMessages(6);
    behave((number) => number === 1, answer(404));
    // Its own three attempts, the others', and a slot for each time that it must miss one.
    for (let slot = 0; slot < Math.ceil(9 / budget) + 3; slot += 1) {
      await runner.slot(budget);
      await runner.pass(INTERVAL_S + 1);
    }
    expect(await sent(2)).toBe(5);
    for (let slot = 0; (await row(1))?.parked_as === null && slot < 20; slot += 1) {
      await database.insertMessages(budget);
      await runner.slot(budget);
      await runner.pass(INTERVAL_S + 1);
    }
    expect(await row(1)).toMatchObject({ parked_as: 'failed' });
  });

  it.each<[string, Behaviour]>([
    ['404', answer(404)],
    ['503', answer(503)],
    ['429 with Retry-After', answer(429, '', { 'retry-after': '3600' })],
    ['504', answer(504)],
    ['a connection that is cut', hangUp],
  ])('passes 300 messages at the head that get %s in their own turns and at most two slots', async (_case, bad) => {
    await begin();
    await database.insertMessages(400);
    behave((number) => number <= 300, bad);
    const slots = 400 / 50 + 2;
    for (let slot = 0; slot < slots; slot += 1) await runner.slot(50);
    expect(await sent(301)).toBe(100);
    expect(receiver.ledger).toHaveLength(400);
  });

  it('passes retries that fare badly as well, where nothing else is left to send', async () => {
    await begin();
    await database.insertMessages(105);
    await database.query(`UPDATE messages SET sit_outs = 1,
      next_attempt_at = now() - CASE WHEN id <= 100 THEN interval '1 h' ELSE interval '1 min' END`);
    behave((number) => number <= 100, answer(404));
    for (let slot = 0; slot < 5; slot += 1) await runner.slot(50);
    expect(await sent()).toBe(5);
  });

  it('is not misled by bad messages at both ends', async () => {
    // Anywhere is the middle.
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    await begin();
    await database.insertMessages(300);
    behave((number) => number <= 100 || number > 290, answer(404));
    for (let slot = 0; slot < 300 / 50 + 2; slot += 1) await runner.slot(50);
    expect(await database.value(`SELECT count(*) FROM messages WHERE sent_status`)).toBe(190);
  });

  it.each<[string, Behaviour]>([
    ['401', answer(401)],
    ['404', answer(404)],
  ])(
    'ends jobs early and charges no message when all get %s, and sends them all when it is over',
    async (_case, bad) => {
      await begin();
      await database.insertMessages(50);
      receiver.behave = bad;
      const { note } = await runner.slot(50);
      expect(note).toMatch(/the channel is in trouble: HTTP/);
      expect(receiver.ledger).toHaveLength(6);
      for (let slot = 0; slot < 5; slot += 1) {
        await runner.slot(50);
        await runner.pass(INTERVAL_S);
      }
      expect(receiver.ledger.length).toBeLessThanOrEqual(6 + 5 * 3);
      expect(runner.dispatcher.status().trouble).toMatch(/the channel is in trouble: HTTP/);
      expect(await charged()).toBe(0);

      receiver.behave = accept;
      await runner.pass(3_600);
      await runner.slot(50);
      await runner.pass(3_600);
      await runner.slot(50);
      expect(await sent()).toBe(50);
      expect(runner.dispatcher.status().trouble).toBeNull();
    },
  );

  it('tries a receiver without connections once a slot, and one with a new key at full speed', async () => {
    const port = await serverPort();
    await begin({ webhook_url: `http://127.0.0.1:${port}/` });
    await database.insertMessages(50);
    await runner.slot(50);
    const attempts = async () => await database.value<number>('SELECT count(*) FROM delivery_attempts');
    const before = await attempts();
    for (let slot = 0; slot < 4; slot += 1) await runner.slot(50);
    expect(await attempts()).toBe(before + 4);
    expect(await charged()).toBe(0);

    runner.source.set({ webhook_url: receiver.url });
    await runner.pass(3_600);
    await runner.slot(50);
    expect(await sent()).toBe(50);
  });

  it('leaves a receiver alone that asks all messages to wait, but for one a slot to another recipient', async () => {
    await begin();
    await database.insertMessages(100);
    receiver.behave = answer(429, '', { 'retry-after': '30' });
    for (let slot = 0; slot < 20; slot += 1) await runner.slot(20);
    // One more a slot, to somebody else: it may have spoken of the first six.
    expect(receiver.ledger).toHaveLength(6 + 19);
    expect(await charged()).toBe(6 + 19);
    for (let slot = 0; slot < 10; slot += 1) await runner.slot(20);
    expect(receiver.ledger).toHaveLength(32);
    expect((await runner.slot(20)).note).toMatch(
      /^the receiver asked for no requests until about 20.*Z \(Retry-After\)$/,
    );
    expect(runner.dispatcher.status().trouble).toContain('Retry-After');
  });

  const insert = async (phone: string, count: number, more: Readonly<Record<'attempts', number>> = { attempts: 0 }) =>
    await database.query(
      `INSERT INTO messages (recipient_phone, content, attempts, next_attempt_at)
       SELECT $1 || lpad(n::text, 4, '0'), 'text', $3::int, CASE WHEN $3 > 0 THEN now() - interval '1 h' END
       FROM generate_series(1, $2::int) n`,
      [phone, count, more.attempts],
    );
  /** Answers `bad` to these recipients, and accepts the others. */
  const behaveTo = (isBad: (phone: string) => boolean, bad: Behaviour) => {
    receiver.behave = (received, response) => (isBad(received.to) ? bad : accept)(received, response);
  };
  const toGood = () => new Set(receiver.ledger.map(({ to }) => to).filter((to) => to.startsWith('+90555'))).size;
  const askForAnHour = answer(429, 'one message an hour to this number', { 'retry-after': '3600' });

  it('sends the others while all messages to one number are asked to wait', async () => {
    await begin();
    for (let copy = 0; copy < 12; copy += 1) await insert('+90556000', 1);
    behaveTo((phone) => phone.startsWith('+90556'), askForAnHour);
    for (let slot = 0; slot < 4; slot += 1) await runner.slot(2);
    await insert('+90555000', 6);
    for (let slot = 0; slot < 5; slot += 1) await runner.slot(2);
    expect(toGood()).toBe(6);
    expect(receiver.ledger).toHaveLength(18);
  });

  it('sends in the next slot what comes while six numbers are asked to wait', async () => {
    await begin();
    await insert('+90556000', 6);
    behaveTo((phone) => phone.startsWith('+90556'), askForAnHour);
    for (let slot = 0; slot < 6; slot += 1) await runner.slot(2);
    expect(receiver.ledger).toHaveLength(6);
    expect(runner.dispatcher.status().trouble).toContain('Retry-After');
    await insert('+90555000', 2);
    await runner.slot(2);
    expect(toGood()).toBe(2);
    expect(runner.dispatcher.status().trouble).toBeNull();
  });

  it('finds the due retries that are good while fresh bad ones come and the way counts as down', async () => {
    await begin();
    await insert('+90556000', 200);
    await insert('+90555000', 20, { attempts: 1 });
    behaveTo(() => true, answer(503));
    for (let slot = 0; slot < 2; slot += 1) await runner.slot(20);
    expect(runner.dispatcher.status().trouble).not.toBeNull();
    await runner.pass(7_200);
    behaveTo((phone) => phone.startsWith('+90556'), answer(503));
    const before = receiver.ledger.length;
    for (let slot = 0; slot < 2; slot += 1) await runner.slot(1);
    expect(receiver.ledger.slice(before).some(({ to }) => to.startsWith('+90555'))).toBe(true);
    expect(runner.dispatcher.status().trouble).toBeNull();
  });

  it('sends the good ones in their turns where five of six numbers are bad, in any order', async () => {
    await begin();
    await insert('+90555000', 1);
    await runner.slot(1);
    let seed = 5;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    let good = 1;
    for (let id = 0; id < 240; id += 1) {
      const isBad = random() < 5 / 6;
      if (!isBad) good += 1;
      await insert(`${isBad ? '+90556' : '+90555'}${String(id).padStart(3, '0')}`, 1);
    }
    behaveTo((phone) => phone.startsWith('+90556'), answer(404));
    for (let slot = 0; slot < 24 + 2; slot += 1) await runner.slot(10);
    expect(toGood()).toBe(good);
  });

  it.each([
    ['two numbers', 2],
    ['a dozen numbers', 12],
  ])('sends the good ones past %s that never answer before any of these has timed out', async (_case, silent) => {
    await begin({ webhook_timeout: '6' });
    await database.insertMessages(1);
    await runner.slot(1);
    const firstSilent = 2;
    const firstGood = firstSilent + silent;
    await database.insertMessages(silent + 20);
    behave(
      (number) => number >= firstSilent && number < firstGood,
      () => undefined,
    );
    // The floor of the window is for receivers that accepted lately, after a pause as well.
    runner.dispatcher.window.reopen(performance.now() + 30_000);
    expect(await runner.slot(silent + 20)).toMatchObject({ sent: 20, note: null });
    const arrivals = receiver.ledger.filter((received) => numberOf(received) >= firstSilent);
    const beganAt = Math.min(...arrivals.map(({ at }) => at));
    const good = arrivals.filter((received) => numberOf(received) >= firstGood);
    expect(Math.max(...good.map(({ at }) => at)) - beganAt).toBeLessThan(5_000);
  });

  it('does not take one number in ten that never answers for trouble of the way', async () => {
    await begin({ webhook_timeout: '1', webhook_concurrency: '16' });
    await database.insertMessages(300);
    behave(
      (number) => number % 10 === 0,
      () => undefined,
    );
    expect(await runner.slot(300)).toMatchObject({ sent: 270, note: null });
  });

  it('probes a receiver that never answers with one message a slot', async () => {
    await begin({ on_uncertain: 'hold' });
    await database.insertMessages(200);
    receiver.behave = hangUp;
    for (let slot = 0; slot < 4; slot += 1) await runner.slot(100);
    expect(await database.value(`SELECT count(*) FROM messages WHERE parked_as = 'uncertain'`)).toBe(10 + 3 + 3);
  });

  it('writes down a few of the attempts of a message that never gets through, and counts them all', async () => {
    await begin();
    await database.insertMessages(1);
    receiver.behave = answer(404, 'x'.repeat(10_000));
    for (let slot = 0; slot < 30; slot += 1) {
      await runner.slot(2);
      await runner.pass(3_600);
    }
    expect(await row(1)).toMatchObject({ attempts: 0, sit_outs: 30, parked_as: null });
    expect(runner.dispatcher.status().trouble).toBe('the latest message did not get through: HTTP 404');
    const [kept] = await database.query(
      `SELECT count(*) AS attempts, count(response_excerpt) AS excerpts FROM delivery_attempts`,
    );
    expect(kept).toEqual({ attempts: 10, excerpts: 3 });
  });

  it('loses and doubles no probe when its owner goes away, and gives it back with the rest', async () => {
    await begin();
    const ids = await database.insertMessages(10);
    const claims = new MessageClaims(new Database(migrated.dataSource));
    const id = await database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, 5) RETURNING id`,
    );
    const claimed = async () => await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = $1`, [id]);
    await claims.open({ id, fence: 1 });
    const { messages: head } = await claims.claim({ id, fence: 1 }, 2);
    expect(await claims.claimProbe({ id, fence: 1 }, 1)).toMatchObject({
      id: ids[9],
      attempts: 0,
      sitOuts: 0,
      doubt: null,
    });
    expect(await claims.claimProbe({ id, fence: 1 }, 0)).toBeNull();
    expect(await claimed()).toBe(3);

    await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = $1`, [id]);
    expect(await claims.claimProbe({ id, fence: 1 }, 1)).toBeNull();
    expect(await claims.release({ id, fence: 1 })).toBe(0);
    const { taken, left } = await claims.takeOver({ id, fence: 2 });
    expect(taken.map((message) => message.id)).toEqual([...head.map((message) => message.id), ids[9]]);
    expect(left).toBe(0);
    expect(await claims.takeOver({ id, fence: 2 })).toEqual({ taken: [], left: 0 });

    expect(await claims.release({ id, fence: 2 })).toBe(0);
    expect(await claimed()).toBe(0);
    expect(await database.value(`SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL`)).toBe(0);
  });
});
