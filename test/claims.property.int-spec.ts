import * as fc from 'fast-check';
import { Database } from '../src/database.js';
import { MessageClaims } from '../src/messages/message-claims.js';
import { MessageSettlements } from '../src/messages/message-settlements.js';
import { claimsHistories } from './support/claims-commands.js';
import { ClaimsModel } from './support/claims-model.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

const HISTORIES = 200;

describe('claims, by random histories of several claimers', () => {
  let migrated: MigratedDatabase;

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
  });
  afterAll(() => migrated.drop());

  it('gives a message to one live owner, keeps to the budget, ignores former owners and unsends nothing', async () => {
    const { database, dataSource } = migrated;
    const claims = new MessageClaims(new Database(dataSource));
    const settlements = new MessageSettlements(new Database(dataSource));
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(claimsHistories, async (commands) => {
        await database.query(`TRUNCATE messages, dispatch_jobs, delivery_attempts`);
        await database.query(`UPDATE scheduler_state SET running = TRUE`);
        await fc.asyncModelRun(() => ({ model: new ClaimsModel(), real: { claims, settlements, database } }), commands);
        steps += [...commands].length;
      }),
      { numRuns: HISTORIES },
    );
    expect(steps).toBeGreaterThan(HISTORIES * 5);
  });
});
