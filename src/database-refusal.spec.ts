import { DatabaseError } from 'pg';
import { QueryFailedError } from 'typeorm';
import { databaseFaultOf } from './database-fault.js';
import { isDatabaseOutage, leftNothingDone } from './database-outage.js';
import { isTransientRefusal } from './database-refusal.js';
import { replyFor } from './error-mapping.js';

function databaseError(code: string, fields: Partial<DatabaseError> = {}): DatabaseError {
  const error = new DatabaseError('row (1, +905551111111) is refused', 1, 'error');
  return Object.assign(error, { code, severity: 'ERROR', ...fields });
}

describe('what PostgreSQL refuses', () => {
  it.each([
    ['23502', { table: 'messages', column: 'tenant' }, /^The column tenant of the table messages must have a value/],
    [
      '23514',
      { table: 'messages', constraint: 'messages_check' },
      /breaks the constraint messages_check of the table messages/,
    ],
    ['23505', { table: 'messages', constraint: 'one_per_phone' }, /breaks the constraint one_per_phone/],
    ['22001', {}, /refused a value \(SQLSTATE 22001\)/],
    ['P0001', {}, /A trigger or function of the database refused the change/],
    ['44000', {}, /refused a value/],
  ])('for its data (%s) is a 422 that names why and nothing of the row', (code, fields, text) => {
    const reply = replyFor(databaseError(code, fields), 'POST');
    expect([reply?.status, reply?.body.code, reply?.body['sqlstate']]).toEqual([422, 'database.refused', code]);
    expect(reply?.body.error).toMatch(text);
    expect(JSON.stringify(reply?.body)).not.toContain('+90');
  });

  const RAISED =
    'U0001 45000 42501 0A000 P0004 53300 53100 57014 57P01 40001 40P01 55P03 08000 08006 25006 42P01 42703 22012 XX000 26000 3D000';
  it.each(RAISED.split(' '))(
    'with RAISE or ASSERT under %s is a 422 like every other refusal, not a word about PostgreSQL',
    (code) => {
      const where = 'PL/pgSQL function guard() line 1 at RAISE';
      for (const routine of ['exec_stmt_raise', 'exec_stmt_assert']) {
        for (const fields of [{ routine }, { routine, where }]) {
          const raised = Object.assign(databaseError(code, fields), {
            message: 'Connection terminated: +905551111111',
          });
          for (const error of [raised, new QueryFailedError('INSERT', [], raised)]) {
            const reply = replyFor(error, 'POST');
            expect([reply?.status, reply?.body.code, reply?.body['sqlstate']]).toEqual([422, 'database.refused', code]);
            expect(reply?.body.error).toMatch(/^A trigger or function( \(guard\))? of the database refused the change/);
            expect([isDatabaseOutage(error), leftNothingDone(error), isTransientRefusal(error)]).toEqual([
              false,
              false,
              false,
            ]);
            expect(databaseFaultOf(error)).toBe('refused');
          }
        }
      }
    },
  );

  it.each(['42501', '42P01', '42703', '22012', '25006', '08001', '0A000', '55000', 'XX000'])(
    'inside a function (%s) is that function, not this service',
    (code) => {
      const where = 'SQL statement "INSERT INTO audit"\nPL/pgSQL function audit_row() line 3 at SQL statement';
      const reply = replyFor(databaseError(code, { where }), 'POST');
      expect([reply?.status, reply?.body.code]).toEqual([422, 'database.refused']);
      expect(reply?.body.error).toContain('(audit_row)');
    },
  );

  it.each([
    ['57014', 503, 'database.timeout'],
    ['55P03', 503, 'database.contended'],
    ['40P01', 503, 'database.contended'],
    ['53100', 503, 'database.exhausted'],
    ['57P01', 503, 'database.unavailable'],
  ])('inside a function, and by PostgreSQL itself (%s), is what it says', (code, status, expected) => {
    const where = 'PL/pgSQL function audit_row() line 3 at SQL statement';
    const reply = replyFor(databaseError(code, { where, routine: 'ProcessInterrupts' }), 'POST');
    expect([reply?.status, reply?.body.code]).toEqual([status, expected]);
  });

  it('by a row policy is a 422, and a missing right is not', () => {
    expect(replyFor(databaseError('42501', { routine: 'ExecWithCheckOptions' }), 'POST')?.body.code).toBe(
      'database.refused',
    );
    expect(replyFor(databaseError('42501', { routine: 'aclcheck_error' }), 'POST')).toBeNull();
  });

  it('for its encoding names the character', () => {
    const message =
      'character with byte sequence 0xf0 0x9f 0x98 0x80 in encoding "UTF8" has no equivalent in encoding "LATIN5"';
    const reply = replyFor(Object.assign(databaseError('22P05'), { message }), 'POST');
    expect(reply?.body.error).toContain('cannot store the character 😀');
  });

  it.each([
    ['57014', 'database.timeout'],
    ['55P03', 'database.contended'],
    ['40P01', 'database.contended'],
    ['40001', 'database.contended'],
    ['53100', 'database.exhausted'],
    ['53200', 'database.exhausted'],
    ['53300', 'database.exhausted'],
  ])('for now (%s) is a 503 with Retry-After: nothing was changed', (code, expected) => {
    const reply = replyFor(databaseError(code), 'POST');
    expect([reply?.status, reply?.body.code, reply?.headers?.['retry-after']]).toEqual([503, expected, '1']);
  });
});
