import { get } from 'node:http';
import { Controller, Get, Module } from '@nestjs/common';
import { hash } from 'node:crypto';
import { LoggerModule } from 'nestjs-pino';
import { createApp } from '../src/app.setup.js';
import { loadStaticSettings } from '../src/config/load-static-settings.js';
import { createLogger, loggingParams } from '../src/logging.js';
import { SCOPES, type Scope } from '../src/required-scope.js';
import { bearer, entryOf } from './support/api-keys.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { nextPage } from './support/next-page.js';
import { Stage } from './support/stage.js';

const KEYS: Readonly<Record<Scope, string>> = {
  read: 'mdk_planted-key-that-reads',
  send: 'mdk_planted-key-that-sends',
  operate: 'mdk_planted-key-that-operates',
};
const ENTRIES = SCOPES.map((scope) => entryOf(`${scope}-only`, scope, KEYS[scope])).join(',');

/** What each operation needs; null: nothing. A new operation belongs in here. */
const NEEDS: Readonly<Record<string, Scope | null>> = {
  'get /health': null,
  'get /health/live': null,
  'get /health/ready': null,
  'get /sent': 'read',
  'get /messages': 'read',
  'get /messages/{id}': 'read',
  'get /messages/{id}/attempts': 'read',
  'get /scheduler': 'read',
  'get /config': 'read',
  'get /operator-actions': 'read',
  'get /retention': 'read',
  'post /messages': 'send',
  'post /messages/import': 'send',
  'post /start': 'operate',
  'post /stop': 'operate',
  'post /messages/replay': 'operate',
  'post /messages/{id}/retry': 'operate',
  'post /messages/{id}/cancel': 'operate',
  'post /messages/{id}/resolve': 'operate',
  'put /config/{key}': 'operate',
  'delete /config/{key}': 'operate',
};

interface Operation {
  readonly security?: readonly Record<string, readonly string[]>[];
  readonly responses: Readonly<Record<string, unknown>>;
  readonly 'x-required-scope'?: Scope;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, object>> };
}

describe('with keys', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  let openApi: OpenApi;
  let operations: { name: string; method: string; path: string; operation: Operation }[];

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false }, { APP_API_KEYS: ENTRIES });
    openApi = (await app.get('/swagger/v1/swagger.json')).json<OpenApi>();
    operations = Object.entries(openApi.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method} ${path}`,
        method: method.toUpperCase(),
        path: path.replace('{id}', '1').replace('{key}', 'rate_limit'),
        operation,
      })),
    );
  });
  afterAll(() => stage.strike());

  it('every operation of the documentation asks for its scope, and says so', () => {
    expect(
      Object.fromEntries(operations.map(({ name, operation }) => [name, operation['x-required-scope'] ?? null])),
    ).toEqual(NEEDS);
    expect(openApi.components.securitySchemes).toMatchObject({ key: { type: 'http', scheme: 'bearer' } });
    for (const { name, operation } of operations) {
      const closed = NEEDS[name] !== null;
      expect([name, operation.security]).toEqual([name, closed ? [{ key: [] }] : undefined]);
      const refusals = ['401', '403', '429'].filter((status) => status in operation.responses);
      expect([name, refusals]).toEqual([name, closed ? ['401', '403', '429'] : []]);
    }
  });

  it('every operation but health is a 401 without a key or with an unknown one, before its input is looked at', async () => {
    for (const { name, method, path } of operations.filter((one) => NEEDS[one.name] !== null)) {
      for (const [headers, code, challenge] of [
        [{}, 'auth.key_required', 'Bearer realm="message-dispatcher"'],
        [bearer('mdk_another'), 'auth.unknown_key', 'Bearer realm="message-dispatcher", error="invalid_token"'],
      ] as const) {
        const reply = await app.request(method, path, method === 'GET' ? undefined : '{broken', headers);
        expect([name, reply.status, reply.headers.get('www-authenticate')]).toEqual([name, 401, challenge]);
        expect(reply.json()).toEqual({ error: expect.stringMatching(/\w{3}/) as unknown, code });
      }
    }
  });

  it('every operation but health is a 403 for keys of the other scopes, and done for a key of its own', async () => {
    for (const { name, method, path } of operations.filter((one) => NEEDS[one.name] !== null)) {
      for (const scope of SCOPES) {
        const reply = await app.request(method, path, undefined, bearer(KEYS[scope]));
        if (scope === NEEDS[name]) expect([name, [401, 403].includes(reply.status)]).toEqual([name, false]);
        else {
          expect([name, reply.status]).toEqual([name, 403]);
          expect(reply.json()).toMatchObject({
            code: 'auth.scope',
            error: expect.stringContaining(`${scope}-only`) as unknown,
          });
          expect(reply.headers.get('www-authenticate')).toContain(
            `error="insufficient_scope", scope="${String(NEEDS[name])}"`,
          );
        }
      }
    }
  });

  it('health and the documentation are there for everybody, and an unknown path is a 404', async () => {
    for (const path of [
      '/health',
      '/health/live',
      '/health/ready',
      '/swagger/index.html',
      '/swagger/v1/swagger.json',
    ]) {
      expect([path, (await app.get(path)).status]).toEqual([path, 200]);
    }
    expect((await app.get('/nowhere')).status).toBe(404);
    expect((await app.get('/start')).status).toBe(405);
    expect((await app.request('HEAD', '/sent')).status).toBe(401);
    expect((await app.request('HEAD', '/sent', undefined, bearer(KEYS.read))).status).toBe(200);
  });

  it('who acted is the key, whatever the caller says of itself', async () => {
    const operate = async (path: string, body: object) =>
      expect((await app.request('POST', path, body, bearer(KEYS.operate))).status).toBe(200);
    await operate('/stop', {});
    await stage.database.query('TRUNCATE operator_actions');
    await operate('/start', { by: 'ali', reason: 'the gateway is back' });
    await operate('/start', { by: 'ali' });
    await operate('/stop', {});
    const [id = 0] = await stage.database.insertMessages(1);
    await operate(`/messages/${id}/cancel`, { by: 'veli', reason: 'wrong number' });
    await operate(`/messages/${id}/retry`, {});
    await operate(`/messages/${id}/cancel`, {});
    await operate('/messages/replay', { state: 'cancelled', by: 'ali' });

    const seen: Record<string, unknown>[] = [];
    let path: string | null = '/operator-actions?limit=2';
    while (path !== null) {
      const page = await app.request('GET', path, undefined, bearer(KEYS.read));
      expect(page.status).toBe(200);
      seen.push(...page.json<Record<string, unknown>[]>());
      path = nextPage(path, page.headers.get('link'));
    }
    const actor = 'operate-only';
    expect(seen.toReversed()).toMatchObject([
      { actor, on_behalf_of: 'ali', action: 'start', reason: 'the gateway is back', message_id: null },
      { actor, on_behalf_of: null, action: 'stop', reason: null },
      { actor, on_behalf_of: 'veli', action: 'cancel', reason: 'wrong number', message_id: id },
      { actor, on_behalf_of: null, action: 'retry', message_id: id },
      { actor, on_behalf_of: null, action: 'cancel', message_id: id },
      { actor, on_behalf_of: 'ali', action: 'replay', message_id: null, detail: { state: 'cancelled', count: 1 } },
    ]);
    expect(seen).toHaveLength(6);
    const overview = await app.request('GET', '/scheduler', undefined, bearer(KEYS.read));
    expect(overview.json()).toMatchObject({ changed_by: actor });
  });

  it('no key and no hash of one is in the log, in a reply or in the documentation', async () => {
    const shown = [app.printed.join('\n'), JSON.stringify(openApi)];
    for (const [path, headers] of [
      ['/config', bearer(KEYS.read)],
      ['/config', bearer('mdk_planted-unknown')],
      ['/config', { authorization: 'Basic mdk_planted-basic' }],
      [`/${KEYS.read}?key=${KEYS.read}`, { 'x-correlation-id': 'key-in-path' }],
      ['/swagger/index.html', bearer(KEYS.read)],
    ] as const) {
      const reply = await app.request('GET', path, undefined, headers);
      shown.push(path.includes('mdk_') ? '' : reply.text, JSON.stringify([...reply.headers]));
    }
    await eventually(() =>
      expect(app.lines.find((one) => one['trace.id'] === 'key-in-path')?.message).toMatch(/GET \/\*\*\* 404/),
    );
    shown.push(app.printed.join('\n'));
    expect(shown.join('\n')).not.toMatch(/mdk_planted/);
    for (const key of Object.values(KEYS)) expect(shown.join('\n')).not.toContain(hash('sha256', key).slice(0, 16));
  });

  it('the log says whose request it was', async () => {
    await app.request('GET', '/sent', undefined, { ...bearer(KEYS.read), 'x-correlation-id': 'whose' });
    await eventually(() =>
      expect(app.lines.find((one) => one['trace.id'] === 'whose')).toMatchObject({ 'user.name': 'read-only' }),
    );
  });
});

describe('a route that declares no scope', () => {
  @Controller()
  class Forgetful {
    @Get('forgotten')
    forgotten(): object {
      return {};
    }
  }
  const environment = { APP_DB_URL: 'postgres://u@nowhere/x', LOG_LEVEL: 'fatal' };

  it.each([
    [{ ...environment, APP_API_KEYS: ENTRIES }, 403, 'auth.closed'],
    [environment, 200, undefined],
  ])('is closed to every key where keys are in force', async (env, status, code) => {
    const settings = loadStaticSettings(env);
    @Module({ imports: [LoggerModule.forRoot(loggingParams(settings))], controllers: [Forgetful] })
    class ForgetfulModule {}
    const app = await createApp(settings, ForgetfulModule, createLogger(settings));
    await app.init();
    for (const headers of [{}, bearer(KEYS.read)]) {
      const reply = await app.inject({ method: 'GET', url: '/forgotten', headers });
      expect([reply.statusCode, reply.json<{ code?: string }>().code]).toEqual([status, code]);
    }
    await app.close();
  });
});

describe('where no key is needed', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
  });
  afterAll(() => stage.strike());

  it('anybody may call, with whatever key', async () => {
    expect((await app.request('GET', '/sent', undefined, bearer('mdk_any'))).status).toBe(200);
    expect((await app.post('/stop')).status).toBe(200);
  });

  it('a page of another site may not stop the sending of whoever looks at it', async () => {
    const reply = await app.request('POST', '/stop', undefined, { 'sec-fetch-site': 'cross-site' });
    expect([reply.status, reply.json<{ code: string }>().code]).toEqual([403, 'request.cross_site']);
    // All that a browser says over plain HTTP.
    const plain = await app.request('POST', '/stop', undefined, { origin: 'http://evil.example' });
    expect([plain.status, plain.json<{ code: string }>().code]).toEqual([403, 'request.cross_site']);
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: app.origin }]) {
      expect((await app.request('POST', '/stop', undefined, headers)).status).toBe(200);
    }
  });

  it('a name that somebody else leads here reads nothing', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      get(`${app.origin}/messages`, { headers: { host: 'evil.example' } }, (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      }).on('error', reject);
    });
    expect(status).toBe(403);
  });

  it('replies tell browsers what not to do, and allow no other site anything', async () => {
    for (const path of ['/sent', '/nowhere', '/health', '/swagger/index.html']) {
      const { headers } = await app.request('GET', path, undefined, { origin: 'https://elsewhere.example' });
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('strict-transport-security')).toBeNull();
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
    const preflight = await app.request('OPTIONS', '/start', undefined, {
      origin: 'https://elsewhere.example',
      'access-control-request-method': 'POST',
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  });
});
