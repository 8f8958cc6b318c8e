import { setTimeout as sleep } from 'node:timers/promises';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, answer, Receiver, type Behaviour } from './support/receiver.js';
import { serverPort } from './support/server-port.js';
import { TestDatabase } from './support/test-database.js';

interface Attempt {
  outcome: string;
  http_status: number | null;
  error: string | null;
  number: number;
}
interface Message {
  id: number;
  state: string;
  charged_attempts: number;
  next_attempt_at: string | null;
  parked_reason: string | null;
  doubt: string | null;
  attempts: Attempt[];
}

/** Answers each message by its content; the rest is accepted. */
function byContent(behaviours: Readonly<Record<string, Behaviour>>): Behaviour {
  return (received, response) => (behaviours[received.content] ?? accept)(received, response);
}

const SIGNING_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

const hangUp: Behaviour = (_received, response) => {
  response.destroy();
};

describe('what an answer means for its message', () => {
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;
  const live = (more: Readonly<Record<string, unknown>> = {}) => ({
    auto_sending: false,
    rate_limit: 100,
    scheduler_interval: 1,
    webhook_url: receiver.url,
    webhook_timeout: 1,
    retry_schedule: [1],
    ...more,
  });
  let changed = false;
  /** Resolves when these settings are in force on top of those of every test; they count until its end. */
  const change = async (more: Readonly<Record<string, unknown>>) => {
    changed = true;
    await app.changeLive(live({ on_uncertain: 'resend', ...more }));
  };
  const find = async (id: number) => (await app.get(`/messages/${id}`)).json<Message>();
  const inState = async (id: number, state: string) =>
    await eventually(async () => {
      const message = await find(id);
      expect(message.state).toBe(state);
      return message;
    }, 10_000);

  beforeAll(async () => {
    database = await TestDatabase.create();
    receiver = await Receiver.start();
    app = await DispatcherProcess.start({ env: { APP_DB_URL: database.url }, live: live() });
  });

  afterEach(async () => {
    receiver.behave = accept;
    receiver.letGo();
    await app.post('/stop');
    await database.query('DELETE FROM messages');
    receiver.ledger.length = 0;
    if (changed) await app.changeLive(live());
    changed = false;
  });

  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await database.drop();
  });

  it.each([400, 413, 422])('parks a message that the receiver refuses with %i at once', async (status) => {
    const [id = 0] = await database.insertMessages(1);
    receiver.behave = answer(status, 'no such number');
    await app.post('/start');

    const message = await inState(id, 'failed');
    expect(message.parked_reason).toContain(`HTTP ${status}`);
    expect(message.attempts).toMatchObject([{ outcome: 'refused', http_status: status, number: 1 }]);
  });

  it.each([401, 403, 404, 410, 301])('ends the job early at %i and charges no message an attempt', async (status) => {
    await change({ webhook_concurrency: 4 });
    const ids = await database.insertMessages(50);
    receiver.behave = answer(status, '', { location: `${receiver.url}/elsewhere` });
    await app.post('/start');
    await app.logged(new RegExp(`the channel is in trouble: HTTP ${status}`));
    await app.post('/stop');

    const perJob = await database.query<{ attempts: number }>(
      'SELECT count(*) AS attempts FROM delivery_attempts WHERE http_status = $1 GROUP BY job_id',
      [status],
    );
    // Where messages were accepted lately: 24 in a row, what was in flight beside the last, and ten probes.
    expect(Math.max(...perJob.map(({ attempts }) => attempts))).toBeLessThanOrEqual(24 + 3 + 10);
    const charged = await database.value<number>('SELECT sum(attempts) FROM messages');
    expect(charged).toBe(0);
    receiver.behave = accept;
    await app.post('/start');
    await inState(ids.at(-1) ?? 0, 'sent');
  });

  it('ends the job early when connections are refused, and sends everything when the receiver is back', async () => {
    const ids = await database.insertMessages(20);
    const port = await serverPort();
    await change({ webhook_url: `http://127.0.0.1:${port}/webhook` });
    await app.post('/start');
    await app.logged(/ended early: the channel is in trouble: .*ECONNREFUSED/);
    expect(await database.value('SELECT sum(attempts) FROM messages')).toBe(0);

    const late = await Receiver.start(port);
    try {
      for (const id of ids) await inState(id, 'sent');
      expect(late.ledger).toHaveLength(20);
    } finally {
      await app.post('/stop');
      await late.stop();
    }
  });

  it.each([408, 425, 429, 500, 503])('tries a message again that was answered with %i', async (status) => {
    const [id = 0] = await database.insertMessages(1);
    receiver.behave = () => undefined;
    let first = true;
    receiver.behave = (received, response) => {
      void (first ? answer(status) : accept)(received, response);
      first = false;
    };
    await app.post('/start');

    const message = await inState(id, 'sent');
    expect(message.attempts.map(({ outcome }) => outcome)).toEqual(['unavailable', 'accepted']);
    const keys = receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
  });

  it.each([
    ['seconds', () => '4'],
    ['a date', () => new Date(Date.now() + 4_500).toUTCString()],
  ])('waits as long as Retry-After asks for in %s', async (_form, retryAfter) => {
    const [id = 0] = await database.insertMessages(1);
    receiver.behave = (received, response) => answer(429, '', { 'retry-after': retryAfter() })(received, response);
    await app.post('/start');
    const { next_attempt_at } = await eventually(async () => {
      const message = await find(id);
      expect(message.charged_attempts).toBe(1);
      return message;
    });
    expect(Date.parse(String(next_attempt_at)) - (receiver.ledger[0]?.wallAt ?? 0)).toBeGreaterThan(3_000);
    expect(Date.parse(String(next_attempt_at)) - (receiver.ledger[0]?.wallAt ?? 0)).toBeLessThan(6_000);
  });

  it('parks a message as failed after max_attempts, with the reason', async () => {
    await change({ max_attempts: 2 });
    const [id = 0] = await database.insertMessages(1);
    receiver.behave = answer(500);
    await app.post('/start');

    const message = await inState(id, 'failed');
    expect(message.parked_reason).toBe('given up after 2 attempts: HTTP 500');
    expect(receiver.ledger).toHaveLength(2);
  });

  it('does not let two hopeless messages at the head hold up the ones behind them', async () => {
    await change({ rate_limit: 2 });
    const ids = await database.insertMessages(4);
    receiver.behave = byContent({ 'text 1': answer(500), 'text 2': answer(500) });
    await app.post('/start');
    await inState(ids[3] ?? 0, 'sent');

    const slotsLate = await database.value<number>(
      `SELECT extract(epoch FROM max(due_at) FILTER (WHERE outcome = 'accepted') - min(due_at))::float8
       FROM delivery_attempts attempt JOIN dispatch_jobs job ON job.id = attempt.job_id WHERE message_id = ANY ($1)`,
      [ids],
    );
    expect(slotsLate).toBeLessThanOrEqual(2);
  });

  it.each<[string, Behaviour]>([
    ['hangs up without an answer', hangUp],
    ['does not answer within the timeout', () => undefined],
  ])('resends under the same key, and counts it, when the receiver %s', async (_case, behaviour) => {
    const [id = 0] = await database.insertMessages(1);
    let first = true;
    receiver.behave = (received, response) => {
      void (first ? behaviour : accept)(received, response);
      first = false;
    };
    await app.post('/start');

    const message = await inState(id, 'sent');
    expect(message.attempts.map(({ outcome }) => outcome)).toEqual(['uncertain', 'accepted']);
    expect(receiver.ledger[0]?.headers['idempotency-key']).toBe(receiver.ledger[1]?.headers['idempotency-key']);
  });

  it('takes an answer that came in time although the process had no processor until the deadline had passed', async () => {
    await change({ webhook_concurrency: 1 });
    const ids = await database.insertMessages(3);
    receiver.behave = receiver.hold;
    await app.post('/start');
    await eventually(() => expect(receiver.open).toBe(1));
    app.child.kill('SIGSTOP');
    try {
      receiver.behave = accept;
      receiver.letGo();
      await sleep(1_200);
    } finally {
      app.child.kill('SIGCONT');
    }
    for (const id of ids) {
      const { attempts } = await inState(id, 'sent');
      expect(attempts.map(({ outcome }) => outcome)).toEqual(['accepted']);
    }
    expect(receiver.ledger).toHaveLength(3);
  });

  it('holds an uncertain message when on_uncertain is hold, and sends the others', async () => {
    await change({ on_uncertain: 'hold' });
    const [lost = 0, other = 0] = await database.insertMessages(2);
    receiver.behave = byContent({ 'text 1': hangUp });
    await app.post('/start');
    await inState(other, 'sent');

    const message = await inState(lost, 'uncertain');
    expect(message.attempts).toMatchObject([{ outcome: 'uncertain', http_status: null }]);
    expect(receiver.ledger.filter(({ content }) => content === 'text 1')).toHaveLength(1);
  });

  it('does not call failed what the receiver may have taken before it hung up, until an operator says that it did not', async () => {
    await change({ max_attempts: 2 });
    const [refused = 0, givenUp = 0] = await database.insertMessages(2);
    const seen = new Set<string>();
    receiver.behave = (received, response) => {
      const first = !seen.has(received.content);
      seen.add(received.content);
      if (first) return hangUp(received, response);
      return answer(received.content === 'text 1' ? 400 : 409, 'duplicate')(received, response);
    };
    await app.post('/start');
    for (const [id, reason] of [
      [refused, 'the receiver refused the message: HTTP 400: duplicate'],
      [givenUp, 'given up after 2 attempts: HTTP 409: duplicate'],
    ] as const) {
      const { parked_reason, doubt } = await inState(id, 'uncertain');
      expect(doubt).toEqual(expect.any(String));
      expect(parked_reason).toBe(`${reason}; an earlier attempt may have sent it: ${doubt}`);
    }

    // The phone may have it all the same.
    await app.post(`/messages/${refused}/retry`);
    expect((await inState(refused, 'uncertain')).parked_reason).toContain('duplicate');
    await app.post(`/messages/${refused}/resolve`, { delivered: false });
    const { parked_reason, doubt } = await inState(refused, 'failed');
    expect({ parked_reason, doubt }).toEqual({
      parked_reason: 'the receiver refused the message: HTTP 400: duplicate',
      doubt: null,
    });
  });

  it('takes 502 and 504 of a proxy for nobody’s knowledge: hold requests nothing twice, and the log claims nothing', async () => {
    await change({ on_uncertain: 'hold' });
    const ids = await database.insertMessages(2);
    receiver.behave = byContent({ 'text 1': answer(502, 'Bad Gateway'), 'text 2': answer(504) });
    await app.post('/start');
    for (const id of ids) await inState(id, 'uncertain');
    await app.post('/stop');
    expect(receiver.ledger).toHaveLength(2);
    expect((await find(ids[0] ?? 0)).attempts).toMatchObject([{ outcome: 'uncertain', http_status: 502 }]);
    await app.logged(new RegExp(`message ${ids[0]}: HTTP 502; it may have been sent \\(uncertain\\)`));
  });

  it('keeps and shows neither keys, nor recipient, nor content that the receiver echoes', async () => {
    await change({ webhook_auth_key: 'k3y-of-the-gateway', webhook_signing_secrets: SIGNING_SECRET });
    const [refused = 0, accepted = 0] = await database.insertMessages(2);
    const phone = await database.value<string>('SELECT recipient_phone FROM messages WHERE id = $1', [refused]);
    receiver.behave = (received, response) => {
      if (received.content === 'text 2') return answer(202, '{"messageId":1524831183200260097}')(received, response);
      return answer(400, JSON.stringify({ ...received.headers, body: received.body, key: SIGNING_SECRET }))(
        received,
        response,
      );
    };
    await app.post('/start');
    await inState(refused, 'failed');
    expect(await inState(accepted, 'sent')).toMatchObject({ message_id: '1524831183200260097' });

    const signature = String(receiver.ledger[0]?.headers['webhook-signature']).slice('v1,'.length);
    const shown = JSON.stringify((await find(refused)).attempts) + (await find(refused)).parked_reason;
    expect(shown).toContain('x-ins-auth-key');
    for (const secret of ['k3y-of-the-gateway', SIGNING_SECRET, signature, phone, 'text 1']) {
      expect(shown).not.toContain(secret);
      expect(app.printed.join('\n')).not.toContain(secret);
    }
  });

  it('parks what cannot be a message without a request, and off the budget of the job', async () => {
    await change({ rate_limit: 2, scheduler_interval: 3600 });
    // Before the schedule has taken the interval over, what it writes would undo the update below.
    await eventually(async () => {
      expect(await database.value('SELECT interval_ms FROM scheduler_state')).toBe(3_600_000);
    });
    await database.query(`INSERT INTO messages (recipient_phone, content) VALUES ('nobody', 'first')`);
    const invalid = await database.value<number>('SELECT max(id) FROM messages');
    await database.insertMessages(3);
    await database.query(`UPDATE scheduler_state SET last_slot_at = NULL`);
    await app.post('/start');

    // No other slot comes for an hour.
    await eventually(() => expect(receiver.ledger).toHaveLength(2), 20_000);
    expect((await inState(invalid, 'failed')).parked_reason).toContain('recipient_phone');
    expect(receiver.ledger.map(({ content }) => content)).toEqual(['text 1', 'text 2']);
  });
});
