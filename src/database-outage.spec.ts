import { createServer } from 'node:net';
import { once } from 'node:events';
import { Client } from 'pg';
import { QueryFailedError } from 'typeorm';
import { isDatabaseOutage, leftNothingDone, noteNothingDone, noteUnconnected } from './database-outage.js';
import { replyFor } from './error-mapping.js';

const withCode = (code: string, message = 'something') => Object.assign(new Error(message), { code });

describe('isDatabaseOutage', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', '57P01', '57P02', '57P03', '08006', '08001', '53300', '25006'])(
    'holds for the code %s, wrapped or not',
    (code) => {
      expect(isDatabaseOutage(withCode(code))).toBe(true);
      expect(isDatabaseOutage(new Error('reading', { cause: withCode(code) }))).toBe(true);
      expect(isDatabaseOutage(new QueryFailedError('SELECT 1', [], withCode(code)))).toBe(true);
      expect(isDatabaseOutage(new AggregateError([new Error('other'), withCode(code)]))).toBe(true);
    },
  );

  it.each(['Connection terminated unexpectedly', 'timeout exceeded when trying to connect', 'Query read timeout'])(
    'holds for what node-postgres says without a code: %s',
    (message) => {
      expect(isDatabaseOutage(new Error(message))).toBe(true);
    },
  );

  it('holds for whatever a connection could not be made for', () => {
    const error = withCode('EMFILE');
    expect(isDatabaseOutage(error)).toBe(false);
    noteUnconnected(error);
    expect(isDatabaseOutage(new QueryFailedError('SELECT 1', [], error))).toBe(true);
  });

  it('holds for a server that is not there', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    taken.close();
    await once(taken, 'close');
    const error: unknown = await new Client({ host: 'localhost', port }).connect().catch((reason: unknown) => reason);
    expect(isDatabaseOutage(error)).toBe(true);
  });

  it('does not hold for a client that goes away while its body is read', () => {
    const aborted = Object.assign(withCode('ECONNRESET', 'aborted'), { statusCode: 400 });
    expect(isDatabaseOutage(aborted)).toBe(false);
    expect(replyFor(aborted, 'POST')?.body.code).toBe('request.broken_off');
  });

  it.each([withCode('23505'), withCode('42601'), new Error('Connection pool sizes'), 'ECONNREFUSED', null])(
    'does not hold for anything else: %p',
    (error) => {
      expect(isDatabaseOutage(error)).toBe(false);
    },
  );
});

describe('leftNothingDone', () => {
  it.each([
    ['what is refused', withCode('25006'), true],
    ['too many connections', withCode('53300'), true],
    ['a pool without a free connection', new Error('timeout exceeded when trying to connect'), true],
    ['a reset', withCode('ECONNRESET'), false],
    ['a lost connection', new Error('Connection terminated unexpectedly'), false],
    ['an answer that does not come', new Error('Query read timeout'), false],
    ['a server that ends the connection', withCode('57P01'), false],
  ])('of %s', (_what, error, undone) => {
    expect(leftNothingDone(error)).toBe(undone);
    expect(leftNothingDone(new QueryFailedError('INSERT', [], error))).toBe(undone);
  });

  it('holds for a reset of which that was noted, as the cause of another error too', () => {
    const error = withCode('ECONNRESET');
    noteNothingDone(error);
    expect(leftNothingDone(error)).toBe(true);
    expect(leftNothingDone(new Error('connecting', { cause: error }))).toBe(true);
  });
});
