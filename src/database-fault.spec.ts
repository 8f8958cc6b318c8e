import { QueryFailedError } from 'typeorm';
import { databaseFaultOf, refusalOf } from './database-fault.js';
import { isOfFunction } from './postgres-error.js';

const postgresError = (code: string, fields: Record<string, string> = {}) =>
  Object.assign(new Error('the text of the server'), { severity: 'ERROR', code, ...fields });

describe('databaseFaultOf', () => {
  it.each([
    ...['08006', '53300', '53100', '40001', '40P01', '57P01', '57P03', '25006', '58030', '26000', '28P01'].map(
      (code) => [code, 'outage'] as const,
    ),
    ...['57014', '25P04'].map((code) => [code, 'slow'] as const),
    ['55P03', 'locked'] as const,
    ...['42501', '42804', '42883', '42P01', '42703', '0A000'].map((code) => [code, 'denied'] as const),
    ...['22001', '22P02', '23514', '23505', '23502', '23P01', 'P0001', '09000', '55000', 'XX000'].map(
      (code) => [code, 'refused'] as const,
    ),
  ])('takes %s for %s, wrapped or not', (code, fault) => {
    expect(databaseFaultOf(postgresError(code))).toBe(fault);
    expect(databaseFaultOf(new Error('settling', { cause: postgresError(code) }))).toBe(fault);
    expect(databaseFaultOf(new QueryFailedError('UPDATE', [], postgresError(code)))).toBe(fault);
  });

  it.each([
    [Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 'outage'],
    [new Error('Connection terminated unexpectedly'), 'outage'],
    [new Error('timeout exceeded when trying to connect'), 'outage'],
    [new Error('Query read timeout'), 'slow'],
    [new TypeError('a defect'), 'refused'],
  ] as const)('takes %s for %s', (error, fault) => {
    expect(databaseFaultOf(error)).toBe(fault);
  });

  it('does not believe the code of a trigger that raises it, nor takes the server that a trigger calls for its own', () => {
    for (const code of ['08006', '57014', '55P03', '42501', '40001']) {
      expect(databaseFaultOf(postgresError(code, { routine: 'exec_stmt_raise' }))).toBe('refused');
    }
    expect(databaseFaultOf(postgresError('P0004', { routine: 'exec_stmt_assert' }))).toBe('refused');
    const where = 'PL/pgSQL function tell() line 3 at PERFORM';
    for (const code of ['08001', '28P01', '3D000', '40P01', '40001', '53100', '57P01'])
      expect(databaseFaultOf(postgresError(code, { where }))).toBe('refused');
    // What PostgreSQL itself says in the middle of one.
    expect(databaseFaultOf(postgresError('57014', { where }))).toBe('slow');
    expect(databaseFaultOf(postgresError('55P03', { where }))).toBe('locked');
    expect(databaseFaultOf(postgresError('57P01', { where, routine: 'ProcessInterrupts' }))).toBe('outage');
    expect(databaseFaultOf(postgresError('57014', { where, routine: 'dblink_res_error' }))).toBe('refused');
  });

  it('takes a missing right inside a trigger, and a row policy, for the matter of a row', () => {
    expect(databaseFaultOf(postgresError('42501', { where: 'PL/pgSQL function audit() line 3' }))).toBe('refused');
    expect(databaseFaultOf(postgresError('42501', { routine: 'ExecWithCheckOptions' }))).toBe('refused');
    expect(databaseFaultOf(postgresError('42501', { routine: 'aclcheck_error' }))).toBe('denied');
  });

  it('has a statement tried again whose plan a change of the table made stale', () => {
    expect(databaseFaultOf(postgresError('0A000', { routine: 'RevalidateCachedQuery' }))).toBe('outage');
  });
});

describe('isOfFunction', () => {
  it.each([
    ['P0001', { routine: 'exec_stmt_raise' }, true],
    ['P0004', { routine: 'exec_stmt_assert' }, true],
    ['42P01', { where: 'PL/pgSQL function f() line 1 at EXECUTE' }, true],
    ['42P01', { where: 'PL/pgSQL-Funktion f() Zeile 1 bei EXECUTE' }, true],
    ['42P01', { where: 'fonction SQL « f », instruction 1' }, true],
    ['42601', { internalQuery: 'SELECT x' }, true],
    ['23514', { table: 'messages', constraint: 'short' }, false],
    ['40P01', { where: 'while updating tuple (0,1) in relation "messages"' }, false],
    ['22P02', { where: 'COPY messages, line 7, column content: "learn SQL"' }, false],
    ['22P02', { where: `unnamed portal parameter $1 = '905550000077'` }, false],
  ] as const)('knows it of %s with %j', (code, fields, inside) => {
    expect(isOfFunction(postgresError(code, fields))).toBe(inside);
  });
});

describe('refusalOf', () => {
  it('names what the database names, and repeats no text that may hold a row', () => {
    const raised = postgresError('P0001', {
      routine: 'exec_stmt_raise',
      where: 'PL/pgSQL function guard() line 1 at RAISE',
      detail: 'Failing row contains (+905551111111)',
    });
    raised.message = 'no mark for +905551111111 (text: secret)';
    expect(refusalOf(raised)).toEqual({ sqlstate: 'P0001', text: 'SQLSTATE P0001, function guard' });
    const violated = postgresError('23514', { table: 'messages', constraint: 'messages_legacy' });
    expect(refusalOf(violated)).toEqual({
      sqlstate: '23514',
      text: 'SQLSTATE 23514, table messages, constraint messages_legacy',
    });
    expect(refusalOf(postgresError('22P02')).text).not.toContain('server');
  });

  it('says which right is missing', () => {
    const denied = postgresError('42501');
    denied.message = 'permission denied for table messages';
    expect(refusalOf(denied).text).toBe('SQLSTATE 42501, permission denied for table messages');
    const where = 'PL/pgSQL function audit() line 3 at SQL statement';
    const dynamic = postgresError('42P01', { where, internalQuery: 'INSERT INTO part_905550000077' });
    dynamic.message = 'relation "part_905550000077" does not exist';
    expect(refusalOf(dynamic).text).toBe('SQLSTATE 42P01, function audit');
    const full = postgresError('23505', { where, table: 'part_905550000077', constraint: 'part_905_550_000077_pkey' });
    expect(refusalOf(full).text).toBe('SQLSTATE 23505, table part_***, constraint part_***_pkey, function audit');
    // A cast to regclass of a company's constraint.
    expect(refusalOf(postgresError('42P01')).text).toBe('SQLSTATE 42P01');
    expect(refusalOf(postgresError('42703', { position: '8' })).text).toBe('SQLSTATE 42703, the text of the server');
    const raised = postgresError('42501', { routine: 'exec_stmt_raise' });
    expect(refusalOf(raised).text).toBe('SQLSTATE 42501');
  });
});
