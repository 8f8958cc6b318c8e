import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Body, Controller, Get, Header, HttpCode, Logger, Module, Param, Post, Query } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { LoggerModule } from 'nestjs-pino';
import { QueryFailedError } from 'typeorm';
import { z } from 'zod';
import { createApp } from '../src/app.setup.js';
import { StaticSettings } from '../src/config/static-settings.js';
import { DomainError, type DomainErrorKind } from '../src/domain-error.js';
import { listen } from '../src/listen.js';
import { createLogger, loggingParams } from '../src/logging.js';
import { StartupError } from '../src/startup-error.js';
import { eventually } from './support/eventually.js';

const settings: StaticSettings = Object.assign(new StaticSettings(), {
  env: 'test',
  access: null,
  apiRequestsPerMinute: 0,
  hosts: [],
  tls: null,
  tlsFiles: null,
  serverReadTimeoutMs: 1000,
  serverWriteTimeoutMs: 5000,
  serverIdleTimeoutMs: 5000,
  logLevel: 'debug',
  logFormat: 'json' as const,
  serviceName: 'plumbing',
});

// Self-signed for localhost, for a hundred years; it guards nothing.
const tls = {
  key: Buffer.from(`-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZEjHTQzsgeuNp1Fb
0eT7ge2RbU/uyHryL9OOUN3PvKahRANCAAQsGVxTOtS9tscrEnuEkDxrzVAP+OPU
j1Ib0JXKAB5xiAiTGEivMs17I9K1HFQfMTy6cYur/KYcvsAx1ENA6Efg
-----END PRIVATE KEY-----
`),
  cert: Buffer.from(`-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUDabHHbbNIT3LYjmQIr4XT3MEi+UwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzIxNDMwM1oYDzIxMjYxMDMw
MjE0MzAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQsGVxTOtS9tscrEnuEkDxrzVAP+OPUj1Ib0JXKAB5xiAiTGEivMs17
I9K1HFQfMTy6cYur/KYcvsAx1ENA6Efgo28wbTAdBgNVHQ4EFgQUFMYHze83bGY4
DAAxr7+nk6o5FrswHwYDVR0jBBgwFoAUFMYHze83bGY4DAAxr7+nk6o5FrswDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgf6NY/6bMAuxi3WuT5z2MLxfRKQVb3vvkH+4Bwa/XWxICIQDw
cUCGk0rrXwDzP9AcvFsGMuLW4F8k5y2d0MLn1Kot5A==
-----END CERTIFICATE-----
`),
};

/** A request that takes until the test says so. */
class Slow {
  begin: () => void = () => undefined;
  finish: () => void = () => undefined;
  readonly began = new Promise<void>((resolve) => (this.begin = resolve));
  readonly finished = new Promise<void>((resolve) => (this.finish = resolve));
}
const slow = new Slow();

const thing = z.strictObject({ to: z.string().min(1), content: z.string().min(1).max(160) });
const things = z.union([thing, z.array(thing).max(1000)]);
const pageOfThings = z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(1000) });
const thingId = z.string().regex(/^\d{1,19}$/, 'must be a whole number of at most 19 digits');

class Refused extends DomainError {
  readonly code = 'things.refused';
  constructor(
    readonly kind: DomainErrorKind,
    override readonly details = { thing: 7 },
  ) {
    super(`refused as ${kind}`);
  }
}

const PHONE = '+905551111111';
const queryFailed = (driver: object) =>
  new QueryFailedError(
    `INSERT INTO messages VALUES ('${PHONE}')`,
    [PHONE],
    Object.assign(new Error('the server said no'), { detail: `(${PHONE})` }, driver),
  );

const FAILURES: Record<string, () => unknown> = {
  invalid: () => new Refused('invalid'),
  malformed: () => new Refused('malformed'),
  not_found: () => new Refused('not_found'),
  conflict: () => new Refused('conflict'),
  unavailable: () => new Refused('unavailable'),
  refused: () => new AggregateError([Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })]),
  shutting_down: () => queryFailed({ code: '57P01' }),
  pool: () => new Error('timeout exceeded when trying to connect'),
  read_only: () => queryFailed({ code: '25006' }),
  syntax: () => queryFailed({ code: '42601' }),
  dsn: () => new Error('cannot open postgres://someone:hunter2@db:5432/x', { cause: new Error('the root of it') }),
  text: () => 'just a text',
};

@Controller()
class ThingsController {
  private readonly logger = new Logger('Things');

  @Post('start')
  @HttpCode(200)
  @Header('content-type', 'application/json; charset=utf-8')
  start(): string {
    return JSON.stringify('Started');
  }

  @Post('things')
  create(@Body({ schema: things }) body: z.infer<typeof things>): unknown {
    return body;
  }

  @Get('things')
  list(@Query({ schema: pageOfThings }) query: z.infer<typeof pageOfThings>): unknown {
    this.logger.log({ count: 3 }, 'listing');
    return query;
  }

  @Get('things/:id')
  one(@Param('id', { schema: thingId }) id: string): unknown {
    return { id };
  }

  @Get('slow')
  async slow(): Promise<object> {
    slow.begin();
    await slow.finished;
    return {};
  }

  @Get('fail/:how')
  fail(@Param('how') how: string): never {
    throw FAILURES[how]?.();
  }
}

@Module({ imports: [LoggerModule.forRoot(loggingParams(settings))], controllers: [ThingsController] })
// oxlint-disable-next-line typescript/no-extraneous-class -- a Nest module is a class
class ThingsModule {}

let app: NestFastifyApplication;
let url: string;
const lines: Record<string, unknown>[] = [];

const silent = createLogger({ logFormat: 'json', logLevel: 'silent', serviceName: 'plumbing' });
const objectSchema = z.record(z.string(), z.unknown());

beforeAll(async () => {
  const logger = createLogger(settings, {
    write: (line) => lines.push(objectSchema.parse(JSON.parse(line))),
  });
  app = await createApp(settings, ThingsModule, logger);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(() => app.close());

const anyText: unknown = expect.any(String);
const limitOf160: unknown = expect.stringContaining('160');
const stackOfCause: unknown = expect.stringContaining('caused by: Error: the root of it');

const JSON_TYPE = { 'content-type': 'application/json' };

async function call(
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string; body: unknown }> {
  const reply = await fetch(`${url}${path}`, { redirect: 'manual', ...init });
  const body = await reply.text();
  const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true;
  return {
    status: reply.status,
    headers: reply.headers,
    text: body,
    body: isJson && body ? JSON.parse(body) : undefined,
  };
}

const post = (path: string, body: string | Buffer, headers: Record<string, string> = JSON_TYPE) =>
  call(path, { method: 'POST', body, headers });

/** Sends bytes as they are and returns what comes back until the server closes the connection. */
function raw(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
}

/** The lines logged under this id, once the request's own line is among them. */
function linesOf(traceId: string): Promise<Record<string, unknown>[]> {
  return eventually(() => {
    const found = lines.filter((line) => line['trace.id'] === traceId);
    expect(found.some((line) => line['http.request.method'] !== undefined)).toBe(true);
    return found;
  });
}

describe('a request that does not fit', () => {
  it('is a 400 that names the field and its limit', async () => {
    const { status, body } = await call('/things?limit=0');
    expect(status).toBe(400);
    expect(body).toEqual({
      error: 'limit: must be at least 1',
      code: 'request.invalid',
      fields: [{ field: 'limit', error: 'must be at least 1' }],
    });
  });

  it('names every field, unknown ones too, by its place in the body', async () => {
    const good = { to: 'a', content: 'b' };
    const { body } = await post('/things', JSON.stringify([good, { to: 'a', content: 'x'.repeat(161), colour: 1 }]));
    expect(body).toMatchObject({
      code: 'request.invalid',
      fields: [
        { field: '1.content', error: limitOf160 },
        { field: '1.colour', error: 'is not a known field' },
      ],
    });
  });

  it('names a path parameter by its name', async () => {
    const { status, body } = await call(`/things/${'9'.repeat(9000)}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ fields: [{ field: 'id', error: 'must be a whole number of at most 19 digits' }] });
  });

  it.each([
    ['an encoded NUL', '/things/%00', 400, 'request.invalid'],
    ['broken percent-encoding', '/things/%zz', 400, 'request.bad_url'],
    ['percent-encoding that is not UTF-8', '/things/%ff', 400, 'request.bad_url'],
    ['an unknown path', '/nowhere?to=%2B905551111111', 404, 'request.not_found'],
    ['an empty parameter', '/things//', 404, 'request.not_found'],
  ])('%s is refused in the shape of all errors', async (_what, path, status, code) => {
    const reply = await call(path);
    expect(reply.status).toBe(status);
    expect(reply.body).toEqual(expect.objectContaining({ error: anyText, code }));
    expect(reply.headers.get('x-correlation-id')).toMatch(/^[\da-f-]{36}$/);
  });

  it.each([
    ['broken JSON', '{"to":', JSON_TYPE, 400, 'request.invalid_json'],
    ['a __proto__ in the JSON', '{"__proto__":{"x":1}}', JSON_TYPE, 400, 'request.invalid_json'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), JSON_TYPE, 400, 'request.invalid_json'],
    ['a body of 5 MB', 'x'.repeat(5_000_000), JSON_TYPE, 413, 'request.too_large'],
    ['a form', 'to=a&content=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'request.media_type'],
    ['a type that is none', '{}', { 'content-type': 'nonsense' }, 415, 'request.media_type'],
    ['no body where one is needed', '', JSON_TYPE, 400, 'request.invalid'],
  ])('%s is refused in the shape of all errors', async (_what, body, headers, status, code) => {
    const reply = await post('/things', body, headers);
    expect(reply.status).toBe(status);
    expect(reply.body).toEqual(expect.objectContaining({ error: anyText, code }));
  });

  it('that uses another method is told which ones there are', async () => {
    const reply = await call('/things/7', { method: 'DELETE' });
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe('GET, HEAD');
    expect(reply.body).toMatchObject({ code: 'request.method_not_allowed' });
  });

  it('of OPTIONS is answered with the methods there are', async () => {
    const reply = await call('/start', { method: 'OPTIONS' });
    expect(reply.status).toBe(405);
    expect(reply.headers.get('allow')).toBe('POST');
  });

  it.each([
    ['nonsense instead of HTTP', 'hello?\r\n\r\n', 'HTTP/1.1 400', 'request.malformed'],
    ['a NUL in the request line', 'GET /thi\0ngs HTTP/1.1\r\nHost: x\r\n\r\n', 'HTTP/1.1 400', 'request.malformed'],
    [
      'headers of 20 KB',
      `GET / HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
      'HTTP/1.1 431',
      'request.headers_too_large',
    ],
    ['a request that never ends', 'GET / HTTP/1.1\r\nHost: x\r\n', 'HTTP/1.1 408', 'request.timeout'],
  ])('%s is answered on the socket, in the shape of all errors', async (_what, bytes, statusLine, code) => {
    const [head = '', body = ''] = (await raw(bytes)).split('\r\n\r\n');
    expect(head).toContain(statusLine);
    expect(JSON.parse(body)).toEqual({ error: anyText, code });
  });
});

describe('an empty body', () => {
  it.each([
    ['with no type', {}],
    ['with the type of JSON', JSON_TYPE],
    ['with the type that curl -d sends', { 'content-type': 'application/x-www-form-urlencoded' }],
  ])('%s is no body, and starts what takes none', async (_how, headers) => {
    const reply = await post('/start', '', headers);
    expect([reply.status, reply.text]).toEqual([200, '"Started"']);
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
  });
});

describe('an error in a handler', () => {
  it.each([
    ['invalid', 422, { error: 'refused as invalid', code: 'things.refused', thing: 7 }],
    ['malformed', 400, { error: 'refused as malformed', code: 'things.refused', thing: 7 }],
    ['not_found', 404, { error: 'refused as not_found', code: 'things.refused', thing: 7 }],
    ['conflict', 409, { error: 'refused as conflict', code: 'things.refused', thing: 7 }],
    ['unavailable', 503, { error: 'refused as unavailable', code: 'things.refused', thing: 7 }],
  ])('that is a refusal (%s) is a %d with its code and details', async (how, status, body) => {
    const reply = await call(`/fail/${how}`);
    expect([reply.status, reply.body]).toEqual([status, body]);
    expect(reply.headers.get('retry-after')).toBe(status === 503 ? '1' : null);
  });

  it.each(['refused', 'shutting_down', 'pool', 'read_only'])(
    'that says PostgreSQL is out of reach (%s) is a 503 to try again',
    async (how) => {
      const reply = await call(`/fail/${how}`);
      expect(reply.status).toBe(503);
      expect(reply.headers.get('retry-after')).toBe('1');
      expect(reply.body).toMatchObject({ code: 'database.unavailable' });
    },
  );

  it.each(['syntax', 'dsn', 'text'])(
    'that is a defect (%s) tells the caller a correlation id and nothing else',
    async (how) => {
      const reply = await call(`/fail/${how}`, { headers: { 'x-correlation-id': `trace ${how}` } });
      expect(reply.status).toBe(500);
      expect(reply.body).toEqual({
        error: `Something went wrong in the service; its log tells what, under the correlation id trace ${how}`,
        code: 'internal',
        correlation_id: `trace ${how}`,
      });
    },
  );

  it('is logged once, with its causes, and without what the driver hung on it', async () => {
    await call('/fail/syntax', { headers: { 'x-correlation-id': 'defect-1' } });
    await call('/fail/dsn', { headers: { 'x-correlation-id': 'defect-2' } });
    const errors = [...(await linesOf('defect-1')), ...(await linesOf('defect-2'))].filter(
      (line) => line['log.level'] === 'error',
    );
    expect(errors).toHaveLength(2);
    expect(errors[0]?.['error']).toMatchObject({ type: 'QueryFailedError', code: '42601' });
    expect(errors[1]?.['error']).toMatchObject({
      message: 'cannot open postgres://someone:***@db:5432/x: the root of it',
      stack_trace: stackOfCause,
    });
    expect(JSON.stringify(errors)).not.toMatch(/hunter2|905551111111|INSERT/);
  });
});

describe('the correlation id', () => {
  it.each(['a', 'x'.repeat(128), 'with space & (signs) ~'])('%p is echoed', async (id) => {
    const { headers } = await call('/things', { headers: { 'x-correlation-id': id } });
    expect(headers.get('x-correlation-id')).toBe(id);
  });

  it.each(['x'.repeat(129), 'tab\there', 'naïve'])('%p is replaced', async (id) => {
    const { headers } = await call('/things', { headers: { 'x-correlation-id': id } });
    expect(headers.get('x-correlation-id')).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  });

  it('is the trace.id of every line of the request, those of services too', async () => {
    await call('/things?limit=7&to=%2B905551111111', { headers: { 'x-correlation-id': 'refused-1' } });
    await call('/things?limit=7', { headers: { 'x-correlation-id': 'traced-1', authorization: 'Bearer hunter2' } });
    const found = await linesOf('traced-1');
    expect(found.map((line) => line['message'])).toEqual([
      'listing',
      expect.stringMatching(/^GET \/things 200 in \d+ ms$/),
    ]);
    expect(found[1]).toMatchObject({
      'log.level': 'info',
      'ecs.version': anyText,
      'service.name': 'plumbing',
      'url.path': '/things',
      'http.response.status_code': 200,
    });
    expect(JSON.stringify([...(await linesOf('refused-1')), ...found])).not.toMatch(/905551111111|hunter2/);
  });
});

describe('the documentation', () => {
  it('is a page of which every asset is there', async () => {
    const page = await call('/swagger/index.html');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html']);
    const assets = [...page.text.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map((match) => match[1] ?? '');
    expect(assets.length).toBeGreaterThan(3);
    const statuses = await Promise.all(
      assets.map(async (asset) => [asset, (await call(new URL(asset, `${url}/swagger/index.html`).pathname)).status]),
    );
    expect(statuses).toEqual(assets.map((asset) => [asset, 200]));
  });

  it.each(['/swagger', '/swagger/'])('is where %s leads', async (path) => {
    const { status, headers } = await call(path);
    expect([status, headers.get('location')]).toEqual([302, path === '/swagger' ? 'swagger/index.html' : 'index.html']);
  });

  it('describes parameters and bodies by their schemas', async () => {
    const { status, body } = await call('/swagger/v1/swagger.json');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      paths: { '/things': { get: { parameters: [{ name: 'limit', schema: { minimum: 1, maximum: 1000 } }] } } },
    });
  });
});

it('answers HEAD as GET, without the body', async () => {
  const reply = await call('/things', { method: 'HEAD' });
  expect([reply.status, reply.text]).toEqual([200, '']);
});

describe('closing', () => {
  it('finishes the request under way, takes no new connection, and waits for no idle one', async () => {
    const patient = Object.assign(new StaticSettings(), settings, { serverIdleTimeoutMs: 20_000 });
    const closing = await createApp(patient, ThingsModule, silent);
    await closing.listen(0, '127.0.0.1');
    const address = await closing.getUrl();
    // Not a connection of `fetch`, whose next request would leave on it.
    const idle = connect(Number(new URL(address).port), '127.0.0.1');
    idle.write('GET /things HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(idle, 'data');
    const underWay = fetch(`${address}/slow`);
    await slow.began;
    const closed = closing.close();
    await eventually(() => expect(fetch(`${address}/things`)).rejects.toThrow());
    slow.finish();
    expect(await underWay).toMatchObject({ status: 200 });
    const answeredAt = performance.now();
    await closed;
    expect(performance.now() - answeredAt).toBeLessThan(4_000);
  });
});

describe('HTTPS', () => {
  it('serves the same on its port, and nothing to plain HTTP', async () => {
    const secure = await createApp(Object.assign(new StaticSettings(), settings, { tls }), ThingsModule, silent);
    await secure.listen(0, '127.0.0.1');
    try {
      const address = await secure.getUrl();
      const reply = await new Promise<IncomingMessage>((resolve, reject) => {
        get(`${address}/nowhere`, { rejectUnauthorized: false }, resolve).on('error', reject);
      });
      expect([reply.statusCode, JSON.parse(await text(reply))]).toEqual([
        404,
        expect.objectContaining({ code: 'request.not_found' }),
      ]);
      await expect(fetch(address.replace('https', 'http'))).rejects.toThrow();
    } finally {
      await secure.close();
    }
  });
});

describe('listening', () => {
  it.each([
    ['a port in use', () => ({ host: '127.0.0.1', port: Number(new URL(url).port) }), /APP_PORT: port \d+ is in use/],
    [
      'an address of another machine',
      () => ({ host: '192.0.2.1', port: 0 }),
      /APP_PORT: 192\.0\.2\.1 is not an address/,
    ],
  ])('on %s is refused in one line that names APP_PORT', async (_what, where, message) => {
    const second = await createApp(settings, ThingsModule, silent);
    const error: unknown = await listen(second, where()).catch((reason: unknown) => reason);
    await second.close();
    expect(error).toBeInstanceOf(StartupError);
    expect(error).toHaveProperty('message', expect.stringMatching(message));
  });

  it('tells the port that the system chose', async () => {
    const second = await createApp(settings, ThingsModule, silent);
    const port = await listen(second, { host: '127.0.0.1', port: 0 });
    expect((await fetch(`http://127.0.0.1:${port}/things`)).status).toBe(200);
    await second.close();
  });
});
