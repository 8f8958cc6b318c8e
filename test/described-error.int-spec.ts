import { describeError } from '../src/described-error.js';
import { TestDatabase } from './support/test-database.js';

describe('what PostgreSQL says in the words of a table’s owner', () => {
  let database: TestDatabase;
  beforeAll(async () => (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  const errorOf = async (statement: string) => {
    const error: unknown = await database.query(statement).catch((reason: unknown) => reason);
    return describeError(new Error('storing a message', { cause: error }));
  };

  it.each(['', ` USING ERRCODE = '45000'`])('is not told, whatever its class is (RAISE%s)', async (using) => {
    const said = await errorOf(
      `DO $$ BEGIN RAISE EXCEPTION 'no % (text: %)', 'somebody', 'a secret text'${using}; END $$`,
    );
    expect(JSON.stringify(said)).not.toMatch(/somebody|secret/);
    expect(said.message).toMatch(/^storing a message: PostgreSQL refused it with SQLSTATE (P0001|45000)$/);
  });

  it('is told by its constraint, and errors of PostgreSQL’s own in their words', async () => {
    await database.query(`CREATE TABLE owned (content TEXT CONSTRAINT short CHECK (length(content) < 3))`);
    expect((await errorOf(`INSERT INTO owned VALUES ('secret')`)).message).toMatch(
      /SQLSTATE 23514, schema public, table owned, constraint short$/,
    );
    expect((await errorOf('SELECT nothing')).message).toContain('column "nothing" does not exist');
  });
});
