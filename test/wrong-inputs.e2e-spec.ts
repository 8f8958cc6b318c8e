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
});
