import { DatabaseError } from 'pg';
import { replyFor } from './error-mapping.js';

function databaseError(code: string, fields: Partial<DatabaseError> = {}): DatabaseError {
  const error = new DatabaseError('row (1, +905551111111) is refused', 1, 'error');
  return Object.assign(error, { code, ...fields });
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
