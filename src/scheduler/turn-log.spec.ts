import { Logger } from '@nestjs/common';
import { TurnLog } from './turn-log.js';

const postgresError = (code: string, fields: Record<string, string> = {}, text = 'the text of the server') =>
  Object.assign(new Error(text), { severity: 'ERROR', code, ...fields });

const refused = postgresError('42501', { routine: 'aclcheck_error' }, 'permission denied for table dispatch_jobs');
const duplicate = postgresError('23505', { table: 'dispatch_jobs', constraint: 'dispatch_jobs_pkey' });

describe('the log of failed turns', () => {
  let log: TurnLog;
  let lines: [level: string, text: string][];

  beforeEach(() => {
    lines = [];
    log = new TurnLog();
    for (const level of ['log', 'warn', 'error'] as const) {
      jest
        .spyOn(Logger.prototype, level)
        .mockImplementation((...given: unknown[]) => void lines.push([level, String(given.at(-1))]));
    }
  });
  afterEach(() => jest.restoreAllMocks());

  it.each([
    [new Error('Connection terminated unexpectedly'), 'warn', /^the schedule is out of reach; trying again/],
    [new Error('Query read timeout'), 'warn', /^the schedule is out of reach/],
    [postgresError('57P03'), 'warn', /^the schedule is out of reach/],
    [postgresError('57014'), 'warn', /^PostgreSQL takes too long to read or write the schedule \(SQLSTATE 57014, /],
    [postgresError('55P03'), 'warn', /^another transaction keeps a table locked .*SQLSTATE 55P03/],
    [
      refused,
      'error',
      /^PostgreSQL refuses .*: SQLSTATE 42501, permission denied for table dispatch_jobs; no job begins/,
    ],
    [duplicate, 'error', /SQLSTATE 23505, table dispatch_jobs, constraint dispatch_jobs_pkey/],
    [postgresError('P0001', {}, 'no mark for +905551111111'), 'error', /^(?!.*905551111111).*SQLSTATE P0001/],
    [new Error('scheduler_state has no row'), 'error', /^a turn of the scheduler fails: scheduler_state has no row/],
  ])('names what happened: %s', (error, level, text) => {
    log.failed(error);
    expect(lines).toEqual([[level, expect.stringMatching(text)]]);
  });

  it('is written once per change of its text, and once when it is over', () => {
    for (const error of [refused, refused, duplicate, duplicate, duplicate]) log.failed(error);
    expect(lines.map(([level]) => level)).toEqual(['error', 'error']);
    expect(log.turnsFailBecause).toMatch(/23505/);
    log.recovered();
    log.recovered();
    expect(lines.slice(2)).toEqual([['log', 'the schedule is within reach again']]);
    expect(log.turnsFailBecause).toBeNull();
    log.failed(duplicate);
    expect(lines).toHaveLength(4);
  });
});
