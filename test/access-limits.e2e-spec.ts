import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { bearer, entryOf } from './support/api-keys.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { Stage } from './support/stage.js';

const LIMIT = 5;
const A = 'mdk_of-a';
const A_TOO = 'mdk_of-a-too';
const B = 'mdk_of-b';

describe('a limit on calls', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => (stage = await Stage.set()));
  beforeEach(async () => {
    app = await stage.replica(
      { auto_sending: false },
      {
        APP_API_RATE_LIMIT: String(LIMIT),
        APP_API_KEYS: [entryOf('a', 'read', A), entryOf('a', 'read', A_TOO), entryOf('b', 'read', B)].join(','),
      },
    );
  });
  afterEach(() => app.dispose());
  afterAll(() => stage.strike());

  const call = async (key?: string, path = '/sent') =>
    await app.request('GET', path, undefined, key === undefined ? {} : bearer(key));

  it('counts all keys of one name together, and tells in standard headers', async () => {
    for (let count = 1; count <= LIMIT; count += 1) {
      const { status, headers } = await call(count % 2 === 0 ? A : A_TOO);
      expect(status).toBe(200);
      expect(headers.get('ratelimit-limit')).toBe(String(LIMIT));
      expect(headers.get('ratelimit-remaining')).toBe(String(LIMIT - count));
      expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThan(0);
    }
    const reply = await call(A);
    expect(reply.status).toBe(429);
    const seconds = Number(reply.headers.get('retry-after'));
    expect(seconds > 0 && seconds <= 60).toBe(true);
    expect(reply.json()).toEqual({
      error: `More than 5 calls in a minute: go on in ${seconds} s`,
      code: 'request.rate_limited',
    });
    expect((await call(B)).status).toBe(200);
  });

  it('counts who shows no valid key by address, and takes nothing from a key that comes from there', async () => {
    const statuses: number[] = [];
    for (const key of [undefined, 'mdk_guess-1', 'mdk_guess-2', undefined, 'mdk_guess-3', 'mdk_guess-4'])
      statuses.push((await call(key)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await call(undefined, '/nowhere')).status).toBe(429);
    expect((await call(A)).status).toBe(200);
  });

  it('never counts health', async () => {
    for (let count = 0; count < 3 * LIMIT; count += 1) {
      const { status, headers } = await call(undefined, '/health');
      expect([status, headers.get('ratelimit-limit')]).toEqual([200, null]);
    }
    expect((await call(undefined, '/swagger/index.html')).status).toBe(200);
  });

  it('answers who may not call before a byte of the body has come', async () => {
    const socket = connect(Number(new URL(app.origin).port), '127.0.0.1');
    socket.write(
      'POST /messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n',
    );
    expect(await text(socket)).toContain('HTTP/1.1 401');
  });
});
