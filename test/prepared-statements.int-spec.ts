import { Database } from '../src/database.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

const PHONES = { name: 'test.phones', text: `SELECT recipient_phone FROM messages WHERE id = $1` };

describe('a prepared statement', () => {
  let migrated: MigratedDatabase;
  let database: Database;

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    database = new Database(migrated.dataSource);
    await migrated.database.insertMessages(1);
  });
  afterEach(() => migrated.drop());

  /** On every connection of the pool. */
  const ask = async () =>
    await Promise.all(Array.from({ length: 5 }, async () => (await database.query(PHONES, [1])).length));
  const ALL = [1, 1, 1, 1, 1];

  it('is run once more at once when a column changed its type, on each connection', async () => {
    expect(await ask()).toEqual(ALL);
    for (const type of ['varchar(20)', 'text', 'varchar(30)']) {
      await migrated.database.query(`ALTER TABLE messages ALTER recipient_phone TYPE ${type}`);
      expect(await ask()).toEqual(ALL);
    }
    const tuples = { name: 'test.phone-tuples', text: PHONES.text };
    expect(await database.tuples(tuples, [1])).toHaveLength(1);
    await migrated.database.query(`ALTER TABLE messages ALTER recipient_phone TYPE text`);
    expect((await database.tuples<[string]>(tuples, [1]))[0]?.[0]).toMatch(/^\+/);
  });

  it('is run once more at once when the server has forgotten it', async () => {
    expect(await ask()).toEqual(ALL);
    const forget = { name: 'test.forget', text: 'DEALLOCATE ALL' };
    await Promise.all(Array.from({ length: 5 }, async () => await database.query(forget)));
    expect(await ask()).toEqual(ALL);
  });
});
