import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, answer, Receiver } from './support/receiver.js';
import { nextPage } from './support/next-page.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { TestDatabase } from './support/test-database.js';

interface Message {
  id: number;
  state: string;
  parked_reason: string | null;
  sent_at: string | null;
}

const hearNothing: (asked: string) => void = () => undefined;

describe('what operators do to messages', () => {
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;

  beforeAll(async () => {
    database = await TestDatabase.create();
    receiver = await Receiver.start();
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: database.url },
      live: { auto_sending: false, rate_limit: 100, scheduler_interval: 1, webhook_url: receiver.url },
    });
  });

  afterEach(async () => {
    receiver.behave = accept;
    receiver.letGo();
    await app.post('/stop');
    await database.query('TRUNCATE messages, operator_actions');
    receiver.ledger.length = 0;
  });

  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await database.drop();
  });

  const insertParked = async (state: string, count = 1, reason = 'because') =>
    (
      await database.query<{ id: number }>(
        `INSERT INTO messages (recipient_phone, content, parked_as, parked_reason, parked_at, attempts)
         SELECT '+905550000001', 'parked', $1, $3, now(), 3 FROM generate_series(1, $2::int) RETURNING id`,
        [state, count, reason],
      )
    ).map(({ id }) => id);
  const act = async (id: number, action: string, body?: unknown) => await app.post(`/messages/${id}/${action}`, body);
  /** What was noted of messages; starting and stopping is noted as well. */
  const actions = async () =>
    await database.query(`
      SELECT actor, action, reason, message_id::int AS message_id FROM operator_actions
      WHERE action NOT IN ('start', 'stop') ORDER BY id`);

  it('decides about a parked message whose claim was left by a job that does not run, and not while it runs', async () => {
    const [byReplay = 0, byRetry = 0, delivered = 0, cancelled = 0] = [
      ...(await insertParked('cancelled', 2)),
      ...(await insertParked('uncertain')),
      ...(await insertParked('failed')),
    ];
    const job = await database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, budget, owner, lease_until)
       VALUES (now(), 'running', 1, 1, 'somebody', now() + interval '1 h') RETURNING id`,
    );
    await database.query(`UPDATE messages SET claimed_by = ${job}, claim_fence = 1`);
    expect((await act(byRetry, 'retry')).status).toBe(409);
    await database.query(`UPDATE dispatch_jobs SET state = 'done' WHERE id = ${job}`);
    expect((await act(byRetry, 'retry')).json<Message>().state).toBe('waiting');
    expect((await act(delivered, 'resolve', { delivered: true })).json<Message>().state).toBe('sent');
    expect((await act(cancelled, 'cancel')).json<Message>().state).toBe('cancelled');
    const replay = await app.post('/messages/replay', { state: 'cancelled', dry_run: false });
    expect(replay.json()).toMatchObject({ count: 2, complete: true });
    expect(await database.query(`SELECT id FROM messages WHERE claimed_by IS NOT NULL`)).toEqual([]);
    expect(await database.value(`SELECT parked_as FROM messages WHERE id = ${byReplay}`)).toBeNull();
  });

  it.each(['failed', 'uncertain', 'cancelled'])(
    'sends a %s message again, once, and notes who and why',
    async (state) => {
      const [id = 0] = await insertParked(state);
      const reply = await act(id, 'retry', { by: 'ali', reason: 'the gateway is mended' });
      expect([reply.status, reply.json<Message>().state]).toEqual([200, 'waiting']);
      expect((await act(id, 'retry')).json<Message>().state).toBe('waiting');
      expect(await actions()).toEqual([
        { actor: 'ali', action: 'retry', reason: 'the gateway is mended', message_id: id },
      ]);

      await app.post('/start');
      await eventually(() => expect(receiver.ledger).toHaveLength(1));
    },
  );

  it('cancels a waiting message, so that it is never sent', async () => {
    const [cancelled = 0, other = 0] = await database.insertMessages(2);
    const reply = await act(cancelled, 'cancel', { reason: 'wrong number' });
    expect(reply.json<Message>()).toMatchObject({ state: 'cancelled', parked_reason: 'wrong number' });
    const again = await act(cancelled, 'cancel', { by: 'veli', reason: 'somebody else' });
    expect([again.status, again.json<Message>().parked_reason]).toEqual([200, 'wrong number']);
    await app.post('/start');
    await eventually(async () => expect((await app.get(`/messages/${other}`)).json<Message>().state).toBe('sent'));
    expect(receiver.ledger.map(({ content }) => content)).toEqual(['text 2']);
    expect(await actions()).toEqual([
      { actor: '127.0.0.1', action: 'cancel', reason: 'wrong number', message_id: cancelled },
    ]);
  });

  it('sends a message that pauses before its next attempt at once, and notes it once', async () => {
    const [id = 0] = await database.insertMessages(1);
    await database.query(`UPDATE messages SET next_attempt_at = now() + interval '1 h', attempts = 2 WHERE id = $1`, [
      id,
    ]);
    expect((await act(id, 'retry')).json()).toMatchObject({
      state: 'waiting',
      next_attempt_at: null,
      charged_attempts: 0,
    });
    expect((await act(id, 'retry')).status).toBe(200);
    expect(await actions()).toHaveLength(1);
    await app.post('/start');
    await eventually(() => expect(receiver.ledger).toHaveLength(1));
  });

  it('refuses to cancel or retry what was sent, or is being sent', async () => {
    const [sending = 0] = await database.insertMessages(1);
    receiver.behave = receiver.hold;
    await app.post('/start');
    await eventually(() => expect(receiver.open).toBe(1));
    const inFlight = await act(sending, 'cancel');
    expect([inFlight.status, inFlight.json<{ code: string }>().code]).toEqual([409, 'messages.sending']);

    receiver.letGo();
    await eventually(async () =>
      expect((await act(sending, 'cancel')).json()).toMatchObject({ code: 'messages.already_sent' }),
    );
    expect((await act(sending, 'retry')).status).toBe(409);
    expect(await actions()).toEqual([]);
  });

  it('sends a message again whose attempt ends while it is asked to, and notes it', async () => {
    const [id = 0] = await database.insertMessages(1);
    const gate = await database.connect();
    try {
      await database.query('UPDATE messages SET claimed_by = 1 WHERE id = $1', [id]);
      // Holds each UPDATE of the service after it has looked for its rows.
      await database.query(`
        CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            IF current_setting('application_name') = 'message-dispatcher' THEN
              PERFORM pg_advisory_xact_lock_shared(1);
            END IF;
            RETURN NULL;
          END $$;
        CREATE TRIGGER after_update AFTER UPDATE ON messages FOR EACH STATEMENT EXECUTE FUNCTION pass_gate()`);
      await gate.query('BEGIN; SELECT pg_advisory_xact_lock(1)');
      const retried = act(id, 'retry', { by: 'ali' });
      await eventually(async () =>
        expect(
          await database.value(
            `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`,
          ),
        ).toBe(1),
      );
      await database.query(
        `UPDATE messages SET claimed_by = NULL, attempts = 1, next_attempt_at = now() + interval '1 h' WHERE id = $1`,
        [id],
      );
      await gate.query('COMMIT');
      const reply = await retried;
      expect([reply.status, reply.json()]).toMatchObject([200, { state: 'waiting', next_attempt_at: null }]);
      expect(await actions()).toMatchObject([{ actor: 'ali', action: 'retry', message_id: id }]);
    } finally {
      await gate.end();
      await database.query('DROP FUNCTION pass_gate CASCADE');
    }
  });

  it('resolves an uncertain message either way, and notes each once', async () => {
    const [delivered = 0, undelivered = 0] = await insertParked('uncertain', 2);
    const sent = (await act(delivered, 'resolve', { delivered: true })).json<Message>();
    expect(sent.state).toBe('sent');
    expect(sent.sent_at).not.toBeNull();
    expect((await act(delivered, 'resolve', { delivered: true })).status).toBe(200);
    for (const by of ['ali', 'veli']) {
      expect((await act(undelivered, 'resolve', { delivered: false, by })).json<Message>().state).toBe('waiting');
    }
    expect((await act(delivered, 'resolve', { delivered: false })).status).toBe(409);
    const [doubtful = 0, certain = 0] = await insertParked('cancelled', 2);
    await database.query(`UPDATE messages SET doubt = 'read ECONNRESET' WHERE id = $1`, [doubtful]);
    expect((await act(doubtful, 'resolve', { delivered: true })).json<Message>().state).toBe('sent');
    expect((await act(certain, 'resolve', { delivered: true })).json()).toMatchObject({ code: 'messages.cancelled' });
    const [failed = 0] = await insertParked('failed');
    expect((await act(failed, 'resolve', { delivered: true })).json()).toMatchObject({ code: 'messages.failed' });
    expect((await act(failed, 'resolve', {})).status).toBe(400);
    expect(await actions()).toMatchObject([
      { actor: '127.0.0.1', action: 'resolve-delivered', message_id: delivered },
      { actor: 'ali', action: 'resolve-undelivered', message_id: undelivered },
      { actor: '127.0.0.1', action: 'resolve-delivered', message_id: doubtful },
    ]);
  });

  it('replays by filter, counting first when asked to', async () => {
    await insertParked('failed', 3, 'the receiver refused the message: HTTP 422');
    await insertParked('failed', 2, 'given up after 6 attempts: HTTP 500');
    await insertParked('cancelled', 1);
    const filter = { state: 'failed', reason_contains: 'HTTP 500' };
    const replay = async (body: object) => (await app.post('/messages/replay', body)).json();
    expect(await replay({ ...filter, dry_run: true })).toMatchObject({ count: 2, dry_run: true, complete: true });
    expect(await replay({ ...filter, by: 'ali' })).toMatchObject({ count: 2, dry_run: false, complete: true });
    expect(await replay(filter)).toMatchObject({ count: 0, dry_run: false, complete: true });
    const before = new Date(0).toISOString();
    expect((await app.post('/messages/replay', { state: 'failed', parked_before: before })).json()).toMatchObject({
      count: 0,
    });
    expect(await database.value(`SELECT count(*) FROM messages WHERE parked_as IS NULL`)).toBe(2);
    expect(await actions()).toMatchObject([{ actor: 'ali', action: 'replay' }]);
    expect(await database.value(`SELECT detail FROM operator_actions`)).toEqual({ ...filter, count: 2 });
  });

  it('lists messages by state, page by page', async () => {
    const waiting = await database.insertMessages(5);
    await insertParked('uncertain', 2);
    const seen: number[] = [];
    let path: string | null = '/messages?state=waiting&limit=2';
    while (path !== null) {
      const page = await app.get(path);
      seen.push(...page.json<Message[]>().map(({ id }) => id));
      path = nextPage(path, page.headers.get('link'));
    }
    expect(seen).toEqual(waiting);
    expect((await app.get('/messages?state=uncertain')).json()).toHaveLength(2);
    expect((await app.get('/messages')).json()).toHaveLength(7);
  });

  it.each([
    ['/messages?state=lost', 'GET', undefined, 'state'],
    ['/messages?limit=0', 'GET', undefined, 'limit'],
    ['/messages/replay', 'POST', { state: 'sent' }, 'state'],
    ['/messages/replay', 'POST', { state: 'failed', parked_from: 'yesterday' }, 'parked_from'],
    ['/messages/1/cancel', 'POST', { why: 'x' }, 'why'],
  ])('refuses %s with a reply that names the field', async (path, method, body, field) => {
    const reply = await app.request(method, path, body);
    expect(reply.status).toBe(400);
    expect(reply.json()).toMatchObject({ code: 'request.invalid', fields: [{ field }] });
  });

  it('answers 404 for a message that does not exist', async () => {
    receiver.behave = answer(500);
    for (const action of ['retry', 'cancel']) expect((await act(987_654, action)).status).toBe(404);
  });
});

describe('what operators do while PostgreSQL is being lost', () => {
  let stage: Stage;
  let way: TcpProxy;
  /** Hears what the service asks. */
  let listener = hearNothing;

  beforeEach(async () => {
    stage = await Stage.set();
    way = await TcpProxy.to(stage.database.url, () => (asked) => listener(asked.toString('latin1')));
  });
  afterEach(async () => {
    listener = hearNothing;
    await stage.strike();
    await way.stop();
  });

  const insertParked = async (count: number) =>
    await stage.database.query(
      `INSERT INTO messages (recipient_phone, content, parked_as, parked_at)
       SELECT '+905550000001', 'parked', 'failed', now() FROM generate_series(1, $1::int)`,
      [count],
    );

  it('is answered by the statement that does it, so that nothing after it can fail', async () => {
    const app = await stage.replica({ auto_sending: false }, { APP_DB_URL: way.url });
    await insertParked(1);
    listener = (asked) => /FROM messages WHERE id = /.test(asked) && way.loseReplies();
    const reply = await app.post('/messages/1/retry');
    expect([reply.status, reply.json<Message>().state]).toEqual([200, 'waiting']);
  });

  it('and have replayed in part is told, so that the same call goes on with the rest', async () => {
    const app = await stage.replica({ auto_sending: false }, { APP_DB_URL: way.url });
    await insertParked(5_001);
    let slices = 0;
    listener = (asked) => {
      slices += asked.includes('ali-replays') ? 1 : 0;
      if (slices === 2) way.cut();
    };
    const replay = async () => await app.post('/messages/replay', { state: 'failed', by: 'ali-replays' });
    const reply = await replay();
    expect([reply.status, reply.json()]).toEqual([
      503,
      {
        code: 'database.unavailable',
        error: expect.stringContaining('5000 messages or more were put back') as unknown,
        count: 5_000,
        refused: 0,
        refused_ids: [],
        locked: 0,
        next_after: 5_000,
      },
    ]);
    listener = hearNothing;
    way.mend();
    expect((await replay()).json()).toMatchObject({ count: 1, complete: true });
  });

  it('and have stopped is told as a stop that is not confirmed', async () => {
    stage.receiver.behave = stage.receiver.hold;
    const app = await stage.replica({}, { APP_DB_URL: way.url });
    await stage.database.insertMessages(1);
    await eventually(() => expect(stage.receiver.open).toBe(1));
    let stopping = false;
    let looks = 0;
    listener = (asked) => {
      stopping ||= asked.includes('ali-stops');
      looks += stopping && asked.includes('scheduler.observe') ? 1 : 0;
      // So many are made only while a stop waits for the request in flight.
      if (looks === 6) way.cut();
    };
    const reply = await app.post('/stop', { by: 'ali-stops' });
    expect([reply.status, reply.json()]).toEqual([
      503,
      { code: 'scheduler.stop_unconfirmed', error: expect.stringContaining('PostgreSQL') as unknown },
    ]);
    expect(await stage.database.value('SELECT running FROM scheduler_state')).toBe(false);
  });
});
