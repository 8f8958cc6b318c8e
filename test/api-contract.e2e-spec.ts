import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DispatcherProcess, Reply } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

const JSON_TYPE = /^application\/json(?:; charset=utf-8)?$/;

describe('the literal replies', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
  });
  afterAll(() => stage.strike());

  it.each([
    ['/start', '"Started"'],
    ['/stop', '"Stopped"'],
  ])('POST %s is 200 and the JSON string %s, quotes included, however often it is asked', async (path, body) => {
    for (let times = 0; times < 3; times += 1) {
      const { status, headers, text } = await app.post(path);
      expect([status, text]).toEqual([200, body]);
      expect(headers.get('content-type')).toMatch(JSON_TYPE);
    }
  });

  it.each([{}, { by: 'me', reason: 'a test' }])('POST /stop takes who and why: %j', async (body) => {
    expect((await app.post('/stop', body)).text).toBe('"Stopped"');
  });

  it('GET /health is 200 and exactly {"status":"healthy"}', async () => {
    const { status, headers, text } = await app.get('/health');
    expect([status, text]).toEqual([200, '{"status":"healthy"}']);
    expect(headers.get('content-type')).toMatch(JSON_TYPE);
  });

  it.each([
    ['GET', '/nowhere', 404, 'request.not_found'],
    ['GET', '/', 404, 'request.not_found'],
    ['GET', '/sent/1', 404, 'request.not_found'],
    ['GET', '/messages/1/nothing', 404, 'request.not_found'],
    ['GET', '/start', 405, 'request.method_not_allowed'],
    ['GET', '/sent?limit=no', 400, 'request.invalid'],
    ['GET', '/messages?state=lost', 400, 'request.invalid'],
    ['GET', '/messages/99', 404, 'messages.not_found'],
    ['POST', '/messages', 400, 'request.invalid'],
  ])('%s %s is a %i in the one shape of errors', async (method, path, status, code) => {
    const reply = await app.request(method, path);
    expect(reply.status).toBe(status);
    expect(reply.json()).toMatchObject({ error: expect.stringMatching(/\w{3}/) as unknown, code });
    expect(reply.text).not.toMatch(/select |insert |postgres:|\bat .*:\d+:\d+|node_modules/i);
  });

  it.each([
    ['/stop', { by: 7 }, 'by'],
    ['/stop', { by: 'x'.repeat(10_000) }, 'by'],
    ['/start', { reason: { a: 1 } }, 'reason'],
    ['/start', { speed: 'fast' }, 'speed'],
    ['/start', [], 'body'],
  ])('POST %s refuses %.40j, naming the field', async (path, body, field) => {
    const reply = await app.post(path, body);
    expect(reply.status).toBe(400);
    expect(reply.json()).toMatchObject({ code: 'request.invalid', fields: [{ field }] });
  });

  it.each(['by', 'reason'])('POST /start and /stop refuse a %s that PostgreSQL cannot hold', async (field) => {
    for (const text of ['a\0b', 'a\ud800']) {
      for (const path of ['/start', '/stop']) {
        const { status, text: reply } = await app.post(path, { [field]: text });
        expect([path, status, reply]).toEqual([path, 400, expect.stringContaining(field)]);
      }
    }
  });
});

interface Operation {
  operationId?: string;
  summary?: string;
  parameters?: { name: string; in: string; required?: boolean; schema?: { example?: unknown }; description?: string }[];
  requestBody?: { content: Record<string, { schema?: object }> };
  responses: Record<string, { description: string; content?: Record<string, MediaType> }>;
}
interface MediaType {
  schema?: object;
  example?: unknown;
  examples?: Record<string, { value: { error: string; code: string } }>;
}
interface OpenApi {
  openapi: string;
  servers?: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, { example?: unknown }> }> };
}

describe('the documentation', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  let openApi: OpenApi;
  const operations = () =>
    Object.entries(openApi.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
    );

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
    openApi = (await app.get('/swagger/v1/swagger.json')).json<OpenApi>();
  });
  afterAll(() => stage.strike());

  it('is served as Swagger UI, together with every asset that the page asks for', async () => {
    const page = await app.get('/swagger/index.html');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    const assets = [...page.text.matchAll(/\b(?:src|href)="([^"#]+)"/g)].map(([, asset = '']) => asset);
    expect(assets.length).toBeGreaterThanOrEqual(5);
    for (const asset of assets) {
      const { pathname } = new URL(asset, `${app.origin}/swagger/index.html`);
      const { status, headers, text } = await app.get(pathname);
      expect([pathname, status]).toEqual([pathname, 200]);
      const type = { css: 'text/css', js: 'javascript', png: 'image/png' }[pathname.split('.').at(-1) ?? ''];
      expect(headers.get('content-type')).toContain(type);
      expect(text.length).toBeGreaterThan(100);
    }
  });

  it.each(['/swagger', '/swagger/'])('is found at %s too', async (path) => {
    const { status, headers } = await app.get(path);
    expect([status, headers.get('location')]).toEqual([302, path === '/swagger' ? 'swagger/index.html' : 'index.html']);
  });

  it('names no other server, so that "try it out" asks the one that the page came from', () => {
    expect(openApi.openapi).toMatch(/^3\./);
    // From where the document is; the page has a relative one of its own.
    expect(openApi.servers).toEqual([{ url: '../..' }]);
  });

  it('is the one that is checked in, to the order of its keys', async () => {
    const checkedIn: unknown = JSON.parse(await readFile('docs/openapi.json', 'utf8'));
    // The remedy: npm run openapi, and commit what it wrote.
    expect(JSON.stringify({ ...openApi, servers: [{ url: '/' }] })).toBe(JSON.stringify(checkedIn));
  });

  it('names each operation so that a generated client has a good name for its method', () => {
    const ids = operations().map(({ operation }) => operation.operationId ?? '');
    expect(ids.filter((id) => !/^[a-z]+(?:[A-Z][a-z]+)*$/.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has every route that a controller declares', async () => {
    const declared: string[] = [];
    const files = (await readdir('src', { recursive: true })).filter((file) => file.endsWith('.controller.ts'));
    for (const file of files) {
      const source = await readFile(join('src', file), 'utf8');
      const prefix = /@Controller\(\s*(?:'([^']*)')?/.exec(source)?.[1] ?? '';
      for (const [, method = '', path = ''] of source.matchAll(/@(Get|Post|Put|Delete|Patch)\(\s*(?:'([^']*)')?/g)) {
        const full = `/${[prefix, path].filter(Boolean).join('/')}`;
        declared.push(`${method.toLowerCase()} ${full.replace(/:(\w+)/g, '{$1}')}`);
      }
    }
    expect(declared).toContain('get /sent');
    expect(
      operations()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(declared.toSorted());
  });

  it('describes each operation, its parameters and its body', () => {
    for (const { name, path, operation } of operations()) {
      expect([name, operation.summary ?? '']).toEqual([name, expect.stringMatching(/\w{3}/)]);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const parameters = operation.parameters ?? [];
      expect(parameters.filter(({ in: place }) => place === 'path').map((parameter) => parameter.name)).toEqual(inPath);
      for (const parameter of parameters)
        expect([name, parameter.name, parameter.schema?.example]).toEqual([name, parameter.name, expect.anything()]);
      for (const body of Object.values(operation.requestBody?.content ?? {})) {
        expect([name, body.schema]).toEqual([name, expect.anything()]);
      }
    }
  });

  it('gives each success a schema, and each error a schema and an example with its code', () => {
    for (const { name, operation } of operations()) {
      const statuses = Object.keys(operation.responses);
      expect([name, statuses.filter((status) => status.startsWith('2'))]).toEqual([name, [expect.any(String)]]);
      const takesInput = operation.requestBody !== undefined || operation.parameters?.length;
      if (takesInput) expect([name, statuses]).toEqual([name, expect.arrayContaining(['400'])]);
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const media = content?.['application/json'];
        expect([name, status, media?.schema]).toEqual([name, status, expect.anything()]);
        if (status.startsWith('2') || name.includes('/health')) continue;
        const examples = Object.values(media?.examples ?? {});
        expect([name, status, examples.length > 0]).toEqual([name, status, true]);
        for (const { value } of examples)
          expect(value).toMatchObject({ error: /./, code: /^(?:internal|[a-z_]+\.[a-z_]+)$/ });
      }
    }
  });

  it('gives an example of a message that the service takes', async () => {
    const { properties } = openApi.components.schemas['NewMessage'] ?? { properties: {} };
    const example = Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, property.example]));
    expect((await app.post('/messages', example)).status).toBe(201);
  });
});

describe('a sending time', () => {
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.set()));
  afterEach(() => stage.strike());

  it.each(['America/New_York', 'Asia/Kolkata'])(
    'is UTC although the process lives in %s and the database sessions in another zone',
    async (zone) => {
      const name = new URL(stage.database.url).pathname.slice(1);
      await stage.database.query(`ALTER DATABASE ${name} SET timezone TO 'Pacific/Auckland'`);
      const app = await stage.replica({}, { TZ: zone });
      const before = Date.now();
      await app.post('/messages', { recipient_phone: '+905551111111', content: 'now' });
      const [message] = await eventually(async () => {
        const found = (await app.get('/sent')).json<{ sent_at: string }[]>();
        expect(found).toHaveLength(1);
        return found;
      });
      const near = (time: unknown) => {
        expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(Math.abs(Date.parse(String(time)) - before)).toBeLessThan(10_000);
      };
      near(message?.sent_at);
      const one = (await app.get('/messages/1')).json<{ created_at: string; attempts: { started_at: string }[] }>();
      near(one.created_at);
      near(one.attempts[0]?.started_at);
      near((await app.get('/scheduler')).json<{ last_slot_at: string }>().last_slot_at);
      const [row] = await stage.database.query<{ text: string }>(
        `SELECT to_char(sent_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS text FROM messages`,
      );
      near(row?.text);
    },
  );
});

describe('while PostgreSQL is out of reach', () => {
  let stage: Stage;
  let proxy: TcpProxy;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    proxy = await TcpProxy.to(stage.database.url);
    app = await stage.replica({ auto_sending: false }, { APP_DB_URL: proxy.url });
    proxy.cut();
  });
  afterAll(async () => {
    await stage.strike();
    await proxy.stop();
  });

  const calls: readonly (readonly [string, string, object | undefined])[] = [
    ['GET', '/sent', undefined],
    ['GET', '/messages', undefined],
    ['GET', '/messages/1', undefined],
    ['GET', '/scheduler', undefined],
    ['POST', '/messages', { recipient_phone: '+905551111111', content: 'lost?' }],
    ['POST', '/start', undefined],
    ['POST', '/stop', undefined],
    ['POST', '/messages/1/retry', undefined],
  ];

  it.each(calls)('%s %s is a 503 that says so and nothing else', async (method, path, body) => {
    const reply: Reply = await app.request(method, path, body);
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('1');
    expect(reply.json()).toEqual({
      error: expect.stringContaining('PostgreSQL is out of reach') as unknown,
      code: 'database.unavailable',
    });
  });

  it('GET /health and /health/live are 200, and /health/ready is a 503 that names PostgreSQL', async () => {
    expect((await app.get('/health')).text).toBe('{"status":"healthy"}');
    expect((await app.get('/health/live')).status).toBe(200);
    const ready = await app.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.json()).toMatchObject({ status: 'error', error: { postgres: { status: 'down' } } });
  });

  it('everything answers again, by itself, when it is back; and nothing was half done', async () => {
    proxy.mend();
    await eventually(async () => expect((await app.get('/health/ready')).status).toBe(200));
    for (const [method, path, body] of calls.slice(0, 2))
      expect((await app.request(method, path, body)).status).toBe(200);
    expect((await app.get('/messages')).text).toBe('[]');
    expect(await stage.database.value('SELECT running FROM scheduler_state')).toBe(false);
  });
});
