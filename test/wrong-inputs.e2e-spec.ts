import { readFile } from 'node:fs/promises';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { Stage } from './support/stage.js';

interface Refusal {
  error: string;
  code: string;
  fields?: { field: string; error: string }[];
}

interface Parameter {
  name: string;
  in: string;
  schema: { type?: string; minimum?: number; maximum?: number };
}

/** Each operation with what of it is a number in its path or query. */
type Numbers = readonly { method: string; path: string; parameter: Parameter }[];

const WRONG_NUMBERS = ['0x10', '1e1', '1.0', '1.5', ' 5', '5 ', '+5', '٥', '１', 'NaN', 'true', '', '9'.repeat(40)];
/** Of the operations with a body; without a fault, so that it is the number that is refused. */
const bodyOf = (path: string) => ({ by: 'a test', ...(path.endsWith('/resolve') && { delivered: true }) });

const urlOf = (path: string, { name, in: place }: Parameter, text: string) => {
  const inPath = path.replaceAll(/\{(\w+)\}/g, (_whole, part: string) =>
    place === 'path' && part === name ? encodeURIComponent(text) : '1',
  );
  return place === 'query' ? `${inPath}?${name}=${encodeURIComponent(text)}` : inPath;
};

describe('wrong inputs', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  let numbers: Numbers;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
    const { paths } = JSON.parse(await readFile('docs/openapi.json', 'utf8')) as {
      paths: Record<string, Record<string, { parameters?: Parameter[] }>>;
    };
    numbers = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { parameters = [] }]) =>
        parameters
          .filter(({ schema }) => schema.type === 'integer')
          .map((parameter) => ({ method: method.toUpperCase(), path, parameter })),
      ),
    );
  });
  afterAll(() => stage.strike());

  it('in any number of any path or query are a 400 that names it, and change nothing', async () => {
    expect(numbers.map(({ path, parameter }) => `${path} ${parameter.name}`)).toEqual(
      expect.arrayContaining([
        '/operator-actions limit',
        '/operator-actions before',
        '/sent limit',
        '/messages/{id} id',
      ]),
    );
    for (const { method, path, parameter } of numbers) {
      const { minimum, maximum } = parameter.schema;
      const beyond = [minimum === undefined ? [] : minimum - 1, maximum === undefined ? [] : maximum + 1].flat();
      for (const text of [...WRONG_NUMBERS, ...beyond.map(String)]) {
        // An empty part of a path is another path.
        if (text === '' && parameter.in === 'path') continue;
        const url = urlOf(path, parameter, text);
        const reply = await app.request(method, url, method === 'POST' ? bodyOf(path) : undefined);
        expect([method, url, reply.status]).toEqual([method, url, 400]);
        const { code, fields } = reply.json<Refusal>();
        expect([url, code, fields?.map(({ field }) => field)]).toEqual([url, 'request.invalid', [parameter.name]]);
        expect([url, fields?.[0]?.error]).toEqual([url, expect.stringMatching(/^must be /)]);
      }
    }
  });

  it('in a query that knows no such name, or has a name twice, are a 400 that names it', async () => {
    for (const path of ['/sent', '/messages', '/messages/1/attempts', '/operator-actions']) {
      for (const [query, field] of [
        ['offset=5', 'offset'],
        ['limit=1&limit=2', 'limit'],
        ['LIMIT=1', 'LIMIT'],
        ['%E2%80%AElimit=1', String.raw`\u202elimit`],
      ] as const) {
        const reply = await app.get(`${path}?${query}`);
        expect([path, query, reply.status]).toEqual([path, query, 400]);
        expect([path, reply.json<Refusal>().fields?.map((one) => one.field)]).toEqual([path, [field]]);
      }
    }
  });

  it('in any body are a 4xx that names the field or what the body must be, and changes nothing', async () => {
    const [id] = await stage.database.insertMessages(1);
    const before = await stage.database.query('SELECT * FROM messages');
    const acts = ['/start', '/stop', `/messages/${id}/retry`, `/messages/${id}/cancel`];
    const withNote = [...acts, `/messages/${id}/resolve`, '/messages/replay'];
    const needed = { resolve: { delivered: true }, replay: { state: 'failed', dry_run: true } };
    const whole = (path: string) => needed[path.split('/').at(-1) as keyof typeof needed] ?? {};
    const wrong: [path: string, body: unknown, field: string | null, code?: string][] = [
      ...withNote.flatMap((path): [string, unknown, string][] => [
        [path, { ...whole(path), by: 7 }, 'by'],
        [path, { ...whole(path), by: ['ali'] }, 'by'],
        [path, { ...whole(path), by: ' ' }, 'by'],
        [path, { ...whole(path), by: 'a\u202eb' }, 'by'],
        [path, { ...whole(path), reason: 'x'.repeat(201) }, 'reason'],
        [path, { ...whole(path), 're\u200bason': 'x' }, String.raw`re\u200bason`],
        [path, [], 'body'],
        [path, 7, 'body'],
      ]),
      [`/messages/${id}/resolve`, {}, 'delivered'],
      [`/messages/${id}/resolve`, { delivered: 'true' }, 'delivered'],
      [`/messages/${id}/resolve`, undefined, 'body'],
      ['/messages/replay', { state: 'sent' }, 'state'],
      ['/messages/replay', { state: 'failed', after: 1.5 }, 'after'],
      ['/messages/replay', { state: 'failed', after: '5' }, 'after'],
      ['/messages/replay', { state: 'failed', after: 2 ** 53 }, 'after'],
      ['/messages/replay', { state: 'failed', parked_from: '2025-02-30T00:00:00Z' }, 'parked_from'],
      ['/messages/replay', { state: 'failed', parked_from: 'yesterday' }, 'parked_from'],
      ['/messages/replay', { state: 'failed', dry_run: 1 }, 'dry_run'],
      ['/messages/replay', { state: 'failed', reason_contains: '' }, 'reason_contains'],
      ['/messages', {}, 'recipient_phone'],
      ['/messages', { recipient_phone: '+905551111111', content: '' }, 'content'],
      ['/messages', { recipient_phone: 905551111111, content: 'x' }, 'recipient_phone'],
      ['/messages', [], 'body'],
      ['/messages', null, 'body'],
      ['/messages/import', { recipient_phone: '+905551111111', content: 'x' }, null, 'request.media_type'],
      ['/messages/import?mode=some', undefined, 'mode'],
    ];
    for (const [path, body, field, code = 'request.invalid'] of wrong) {
      const reply = await app.post(path, body);
      const refusal = reply.json<Refusal>();
      expect([path, body, reply.status, refusal.code]).toEqual([
        path,
        body,
        code === 'request.invalid' ? 400 : 415,
        code,
      ]);
      if (field !== null)
        expect([path, body, refusal.fields?.map((one) => one.field)]).toEqual([
          path,
          body,
          expect.arrayContaining([field]) as unknown,
        ]);
      expect([path, body, refusal.error]).toEqual([
        path,
        body,
        expect.stringMatching(/\b(?:must be|must not|must hold|is not a)/) as unknown,
      ]);
    }
    for (const [text, type, status] of [
      ['{"by":', 'application/json', 400],
      ['{"by":"a","by":"b"', 'application/json', 400],
      ['by=ali', 'application/x-www-form-urlencoded', 415],
      ['{"__proto__":{"by":"x"}}', 'application/json', 400],
    ] as const) {
      const reply = await app.request('POST', '/stop', text, { 'content-type': type });
      expect([text, reply.status, reply.json()]).toEqual([
        text,
        status,
        expect.objectContaining({ code: expect.stringMatching(/^request\./) as unknown }),
      ]);
    }
    expect(await stage.database.query('SELECT * FROM messages')).toEqual(before);
    expect(await stage.database.query('SELECT * FROM operator_actions')).toEqual([]);
  });
});
