import { Logger } from '@nestjs/common';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { Receiver } from './support/receiver.js';
import { SlotRunner } from './support/slot-runner.js';
import type { TestDatabase } from './support/test-database.js';

Logger.overrideLogger(false);
jest.setTimeout(120_000);

const REFUSE = `IF new.parked_as IS NOT NULL AND new.recipient_phone = 'n/a' THEN RAISE 'no'; END IF;`;

describe('beside very many messages that cannot be sent as they stand', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let receiver: Receiver;
  let runner: SlotRunner;
  let warnings: string[];

  beforeAll(async () => {
    receiver = await Receiver.start();
  });
  afterAll(() => receiver.stop());

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    receiver.ledger.length = 0;
    warnings = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((...parts: unknown[]) => {
      warnings.push(String(parts.at(-1)));
    });
    // A job may park for a quarter of a second.
    runner = new SlotRunner(migrated, { scheduler_interval: '1', webhook_url: receiver.url });
    await runner.begin();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await runner.end();
    await migrated.drop();
  });

  const insert = async (invalid: number, good: number) => {
    await database.query(
      `INSERT INTO messages (recipient_phone, content) SELECT 'n/a', 'text' FROM generate_series(1, $1::int)`,
      [invalid],
    );
    await database.insertMessages(good);
  };
  const onUpdate = async (body: string) => {
    await database.query(`CREATE OR REPLACE FUNCTION company() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN ${body} RETURN new; END $$`);
    await database.query(
      `CREATE OR REPLACE TRIGGER company BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION company()`,
    );
  };
  const count = async (condition: string) =>
    await database.value<number>(`SELECT count(*) FROM messages WHERE ${condition}`);
  /** Slots until `done`, each with a budget of two, of which none may be wasted while good messages wait, from slot `first` on. */
  const slotsUntil = async (done: () => Promise<boolean>, first = 1) => {
    for (let slot = 1; slot <= 60; slot += 1) {
      const waits = (await count(`NOT sent_status AND recipient_phone <> 'n/a'`)) > 0;
      const { sent, note } = await runner.slot(2);
      if (waits && slot >= first) expect([slot, sent, note]).toEqual([slot, 2, null]);
      if (await done()) return slot;
    }
    throw new Error('not done after 60 slots');
  };

  it('sends the others in each slot while parking is slow, and parks them all', async () => {
    await insert(700, 10);
    await onUpdate(`IF new.parked_as IS NOT NULL THEN PERFORM pg_sleep(0.005); END IF;`);
    await slotsUntil(async () => (await count(`parked_as = 'failed'`)) === 700);
    expect(await count('sent_status')).toBe(10);
    expect(await count(`attempts > 0 AND recipient_phone = 'n/a'`)).toBe(0);
  });

  it('parks all but the one that PostgreSQL refuses, says it once, and tries again', async () => {
    await insert(5_000, 6);
    await onUpdate(`IF new.id = 2500 AND new.parked_as IS NOT NULL THEN RAISE 'no'; END IF;`);
    const left = `parked_as IS NULL AND NOT sent_status`;
    await slotsUntil(async () => (await count(left)) === 1);
    expect(await count('sent_status')).toBe(6);
    expect(warnings.filter((text) => text.includes('does not let them be parked'))).toEqual([
      expect.stringContaining('from id 2500, cannot be sent as they stand'),
    ]);
    expect(runner.trouble()).toMatch(/1 invalid messages? cannot be parked: SQLSTATE P0001/);
  });

  it('sends the others although none of them can be parked', async () => {
    await insert(60_000, 8);
    await onUpdate(REFUSE);
    // The first slot's budget goes to the two with which the replica learns it: what is not written is not given back.
    await slotsUntil(async () => (await count('sent_status')) === 8, 2);
    expect(await count(`claimed_by IS NOT NULL`)).toBeLessThanOrEqual(2);
    // Where a trigger keeps them as they were, without an error.
    await onUpdate(`IF new.parked_as IS NOT NULL AND new.recipient_phone = 'n/a' THEN RETURN old; END IF;`);
    await database.insertMessages(2);
    await slotsUntil(async () => (await count('sent_status')) === 10);
    expect(warnings.length).toBeLessThan(30);
  });
});
