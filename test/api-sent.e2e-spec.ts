import { LIST_SENT } from '../src/messages/message-lists.repository.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { nextPage } from './support/next-page.js';
import { Stage } from './support/stage.js';

interface Sent {
  id: number;
  sent_at: string | null;
}

const nextOf = (link: string | null) => nextPage('/sent', link);

describe('GET /sent', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  /** Marks by hand, as an operator does: `sentAt` as SQL, `count` rows. Returns their ids, oldest first. */
  const insertSent = async (sentAt: string, count = 1): Promise<number[]> => {
    const rows = await stage.database.query<{ id: number }>(
      `INSERT INTO messages (recipient_phone, content, sent_status, sent_at)
       SELECT '+905551111111', 'text ' || n, TRUE, ${sentAt} FROM generate_series(1, $1::int) n RETURNING id`,
      [count],
    );
    return rows.map((row) => row.id);
  };
  const list = async (query = '') => (await app.get(`/sent${query}`)).json<Sent[]>();

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
  });
  afterEach(() => stage.database.query('TRUNCATE messages RESTART IDENTITY'));
  afterAll(() => stage.strike());

  it('is [] when nothing was sent', async () => {
    await stage.database.insertMessages(2);
    const { status, headers, text } = await app.get('/sent');
    expect([status, text]).toEqual([200, '[]']);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('link')).toBeNull();
  });

  it('is a bare array of exactly the documented fields', async () => {
    await stage.database.query(
      `INSERT INTO messages (recipient_phone, content, sent_status, sent_at, message_id)
       VALUES ('+905551111111', 'Insider - Project', TRUE, '2025-07-20 14:36:51.123', NULL)`,
    );
    expect((await app.get('/sent')).text).toBe(
      '[{"id":1,"recipient_phone":"+905551111111","content":"Insider - Project","sent_status":true,' +
        '"sent_at":"2025-07-20T14:36:51.123Z","message_id":null}]',
    );
  });

  it('answers beside the list of messages by state, whichever of their connections each of them gets', async () => {
    for (let times = 0; times < 20; times += 1) {
      for (const path of ['/sent?limit=1', '/messages?state=sent&limit=1']) {
        expect([path, (await app.get(path)).status]).toEqual([path, 200]);
      }
    }
  });

  it('is newest first, by id where the time is the same, and rows marked by hand without a time last', async () => {
    const [byHand = 0, byHandToo = 0] = await insertSent('NULL', 2);
    const [old = 0] = await insertSent(`'2025-01-01'`);
    const [tie = 0, tieToo = 0] = await insertSent(`'2025-01-03 00:00:00.5'`, 2);
    const [between = 0] = await insertSent(`'2025-01-02'`);
    expect((await list()).map(({ id }) => id)).toEqual([tieToo, tie, between, old, byHandToo, byHand]);
    expect((await list()).at(-1)?.sent_at).toBeNull();
  });

  it('brings the newest 1,000 unless told otherwise, and a link to the rest', async () => {
    await insertSent(`timestamp '2025-01-01' + n * interval '1 s'`, 1001);
    const first = await app.get('/sent');
    expect(first.json<Sent[]>()).toHaveLength(1000);
    expect(first.json<Sent[]>()[0]?.id).toBe(1001);
    const next = nextOf(first.headers.get('link'));
    expect(next).toMatch(/^\/sent\?limit=1000&cursor=[\w-]+$/);
    const last = await app.get(next ?? '');
    expect(last.json<Sent[]>().map(({ id }) => id)).toEqual([1]);
    expect(last.headers.get('link')).toBeNull();
  });

  it('has no link when the last page is exactly full', async () => {
    await insertSent('now()', 3);
    expect(nextOf((await app.get('/sent?limit=3')).headers.get('link'))).toBeNull();
    expect(nextOf((await app.get('/sent?limit=2')).headers.get('link'))).not.toBeNull();
  });

  it.each([1, 2, 3])(
    'pages by %i to the end without a gap or a repetition, over ties and missing times',
    async (limit) => {
      await insertSent(`'infinity'`, 1);
      await insertSent('NULL', 4);
      await insertSent(`'-infinity'`, 1);
      await insertSent(`'294276-12-31 23:59:59.999999'`, 2);
      await insertSent(`'10000-01-01'`, 1);
      await insertSent(`'0044-03-15 BC'`, 2);
      await insertSent(`'0044-03-15'`, 1);
      await insertSent(`'4714-11-24 BC'`, 2);
      await insertSent(`'2025-01-01 00:00:00.000001'`, 3);
      await insertSent(`'2025-01-01 00:00:00.000002'`, 2);
      const all = await list();
      const paged: Sent[] = [];
      for (let next: string | null = `/sent?limit=${limit}`; next !== null;) {
        const page = await app.get(next);
        expect(page.json<Sent[]>().length).toBeLessThanOrEqual(limit);
        paged.push(...page.json<Sent[]>());
        next = nextOf(page.headers.get('link'));
      }
      expect(paged).toEqual(all);
    },
  );

  it('shows a year that RFC 3339 lacks as ECMAScript writes it', async () => {
    for (const time of ['294276-12-31 23:59:59.5', '10000-01-01', '9999-12-31', '0001-01-01', '0001-12-31 BC']) {
      await insertSent(`'${time}'`);
    }
    await insertSent(`'0044-03-15 BC'`);
    expect((await list()).map(({ sent_at }) => sent_at)).toEqual([
      '+294276-12-31T23:59:59.500Z',
      '+010000-01-01T00:00:00.000Z',
      '9999-12-31T00:00:00.000Z',
      '0001-01-01T00:00:00.000Z',
      '+000000-12-31T00:00:00.000Z',
      '-000043-03-15T00:00:00.000Z',
    ]);
    expect((await app.get('/messages/6')).json()).toMatchObject({ sent_at: '-000043-03-15T00:00:00.000Z' });
  });

  it('is not disturbed, in the pages that follow, by what is sent meanwhile', async () => {
    await insertSent(`'2025-01-01'`, 4);
    const first = await app.get('/sent?limit=2');
    await insertSent(`'2025-01-02'`, 5);
    const second = await app.get(nextOf(first.headers.get('link')) ?? '');
    expect(second.json<Sent[]>().map(({ id }) => id)).toEqual([2, 1]);
  });

  it('costs a page and not the table: it walks the index of the sent ones', async () => {
    await insertSent(`timestamp '2025-01-01' + n * interval '1 s'`, 3000);
    await stage.database.insertMessages(100);
    await stage.database.query('ANALYZE messages');
    for (const position of [
      ['infinity', Number.MAX_SAFE_INTEGER],
      ['2025-01-01 00:20:00', 1200],
    ]) {
      const explained = await stage.database.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${LIST_SENT.text}`, [
        ...position,
        3,
      ]);
      const plan = JSON.stringify(explained);
      expect(plan).toMatch(/"Node Type":"Index Scan"[^{}]*"Index Name":"idx_messages_sent"[^{}]*"Actual Rows":3[,.]/);
      expect(plan).not.toMatch(/Sort|Rows Removed by Filter/);
    }
  });

  it.each([
    ['limit=0', 'limit', '1'],
    ['limit=1001', 'limit', '1000'],
    ['limit=-1', 'limit', '1000'],
    ['limit=1e3', 'limit', '1000'],
    ['limit=abc', 'limit', '1000'],
    ['limit=', 'limit', '1000'],
    ['limit=1&limit=2', 'limit', ''],
    [`limit=${'9'.repeat(30)}`, 'limit', '1000'],
    ['cursor=', 'cursor', 'Link'],
    ['cursor=nonsense', 'cursor', 'Link'],
    ['cursor=%00', 'cursor', 'Link'],
    [`cursor=${'A'.repeat(8000)}`, 'cursor', 'Link'],
    ['offset=5', 'offset', 'not a known field'],
  ])('refuses ?%s with a 400 that names the field and the limit', async (query, field, limit) => {
    const reply = await app.get(`/sent?${query}`);
    expect(reply.status).toBe(400);
    const body = reply.json<{ error: string; code: string; fields: { field: string; error: string }[] }>();
    expect(body).toMatchObject({ code: 'request.invalid', fields: [{ field }] });
    expect(body.error).toContain(limit);
  });

  it.each([
    '2025-02-30 00:00:00,1',
    '2025-13-01 00:00:00,1',
    '2025-01-01 24:00:01,1',
    '2025-01-01 23:59:60,1',
    '0000-01-01 00:00:00,1',
    '9999-12-31 24:00:00,1',
    '2025-01-01 00:00:00,9999999999999999',
    '-infinity,0',
    'infinity,1',
    '294276-12-31 23:59:59.999999,1',
    '999999-12-31 23:59:59,1',
    '4714-11-24 00:00:00 BC,1',
    '4714-11-23 00:00:00 BC,1',
    '0000-02-29 00:00:00 BC,1',
    '0001-02-29 00:00:00 BC,-0',
    "2025-01-01 00:00:00' OR 1=1,1",
    '2025-01-01 00:00:00\0,1',
  ])('takes the made-up cursor %j for a cursor or refuses it, and never fails', async (text) => {
    const reply = await app.get(`/sent?cursor=${Buffer.from(text).toString('base64url')}`);
    expect([200, 400]).toContain(reply.status);
    if (reply.status === 400)
      expect(reply.json()).toMatchObject({ code: 'request.invalid', fields: [{ field: 'cursor' }] });
  });
});
