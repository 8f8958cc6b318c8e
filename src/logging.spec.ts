import { z } from 'zod';
import { createLogger, type LogSettings } from './logging.js';

const JSON_LOGS: LogSettings = { logFormat: 'json', logLevel: 'info', serviceName: 'dispatcher' };
const READABLE: LogSettings = { ...JSON_LOGS, logFormat: 'pretty' };

function logged(settings: LogSettings, write: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  write(createLogger(settings, { write: (line) => lines.push(line) }));
  return lines;
}

const objectSchema = z.record(z.string(), z.unknown());
const parsed = (lines: string[]) => lines.map((line) => objectSchema.parse(JSON.parse(line)));

const anyText: unknown = expect.any(String);
const utcTime: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const stackOfCause: unknown = expect.stringContaining('caused by: Error: value too long');

function driverError(): Error {
  const driver = Object.assign(new Error('value too long'), { code: '22001', detail: 'Failing row: 905551111111' });
  return Object.assign(new Error('insert failed', { cause: driver }), {
    query: 'INSERT',
    parameters: ['905551111111'],
  });
}

describe('JSON logs', () => {
  it('are ECS objects, one a line', () => {
    const lines = logged(JSON_LOGS, (logger) => logger.child({ 'trace.id': 't1' }).warn({ job: 4 }, 'careful'));
    expect(lines.map((line) => line.endsWith('}\n') && line.split('\n').length)).toEqual([2]);
    expect(parsed(lines)).toEqual([
      expect.objectContaining({
        '@timestamp': utcTime,
        'log.level': 'warn',
        'ecs.version': anyText,
        'service.name': 'dispatcher',
        'trace.id': 't1',
        message: 'careful',
        job: 4,
      }),
    ]);
  });

  it('show no character that changes how a line looks, and lose none', () => {
    const text = 'ali\u202egnp.exe\u2028next\u0085line\u{e0041}\u200d';
    const lines = logged(JSON_LOGS, (logger) => logger.warn({ by: text }, text));
    expect(lines[0]).not.toMatch(/[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(parsed(lines)).toEqual([expect.objectContaining({ message: text, by: text })]);
    const [readable] = logged(READABLE, (logger) => logger.warn(text));
    expect(readable).toContain(String.raw`ali\u202egnp.exe\u2028next`);
    expect(readable).not.toMatch(/[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/u);
  });

  it('keep of an error its type, message, stack and code, those of its causes too, and nothing else', () => {
    const [line] = parsed(logged(JSON_LOGS, (logger) => logger.error({ err: driverError() }, 'oh')));
    expect(line?.['error']).toEqual({
      type: 'Error',
      message: 'insert failed: value too long',
      stack_trace: stackOfCause,
      code: '22001',
    });
    expect(line).not.toHaveProperty('err');
  });

  it.each([
    ['as the line itself', (error: Error) => [error] as const],
    ['under another key', (error: Error) => [{ reason: error }, 'oh'] as const],
  ])('keep nothing else of an error that is given %s', (_how, args) => {
    const [line = ''] = logged(JSON_LOGS, (logger) => {
      const [first, message] = args(driverError());
      logger.error(first, message);
    });
    expect(line).toContain('value too long');
    expect(line).not.toMatch(/905551111111|INSERT/);
  });

  it('keep what is no secret as it was given, dates and lists too', () => {
    const [line] = parsed(
      logged(JSON_LOGS, (logger) =>
        logger.info({ at: new Date(0), list: [1, { two: [2] }], none: null, deep: { a: { b: { c: 'd' } } } }, 'plain'),
      ),
    );
    expect(line).toMatchObject({
      at: '1970-01-01T00:00:00.000Z',
      list: [1, { two: [2] }],
      none: null,
      deep: { a: { b: { c: 'd' } } },
    });
  });

  it('tell of a thrown text', () => {
    const [line] = parsed(logged(JSON_LOGS, (logger) => logger.error({ err: 'only a text' }, 'oh')));
    expect(line?.['error']).toEqual({ type: 'string', message: 'only a text' });
  });
});

describe.each([JSON_LOGS, READABLE])('$logFormat logs', (settings) => {
  it('hold no credential, phone number or content, wherever they stand', () => {
    const text = logged(settings, (logger) => {
      logger.info({ headers: { authorization: 'hunter1', 'x-ins-auth-key': 'hunter2', cookie: 'hunter3' } }, 'a');
      logger.info({ req: { headers: { 'x-api-key': 'hunter4' } }, webhookAuthKey: 'hunter5' }, 'b');
      logger.info({ recipient_phone: '905551111111', message: { content: 'hunter6' } }, 'c');
      const child = logger.child({ webhook_auth_key: 'hunter8' });
      child.info({ of: [{ content: 'hunter9' }], 'x-api-key': 'hunter10' }, 'd');
      logger.info('connecting to postgres://someone:hunter7@db/x for +905551111111');
    }).join('');
    expect(text).toContain('postgres://someone:***@db/x');
    expect(text).not.toMatch(/hunter|905551111111/);
  });

  it.each([
    ['warn', 'warn'],
    ['WARNING', 'warn'],
    ['verbose', 'debug'],
    ['nonsense', 'info'],
    ['', 'info'],
  ])('at the level %p are those of %p', (logLevel, level) => {
    expect(createLogger({ ...settings, logLevel }, { write: () => undefined }).level).toBe(level);
  });

  it('demote what Nest tells of each route at the start', () => {
    const lines = logged(settings, (logger) => {
      logger.info({ 'log.logger': 'RouterExplorer' }, 'Mapped {/x, GET} route');
      logger.warn({ 'log.logger': 'RouterExplorer' }, 'a warning');
    });
    expect(lines).toHaveLength(1);
  });
});

describe('readable logs', () => {
  it('are single lines that name who speaks', () => {
    const [line = ''] = logged(READABLE, (logger) => logger.info({ 'log.logger': 'Scheduler', next: 'soon' }, 'slot'));
    expect(line).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: \[Scheduler\] slot \{"next":"soon"\}\n$/);
  });
});
