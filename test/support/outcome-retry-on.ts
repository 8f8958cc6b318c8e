import type { DataSource } from 'typeorm';
import type { Database } from '../../src/database.js';
import { OutcomeRetry } from '../../src/dispatch/outcome-retry.js';
import type { MessageSettlements } from '../../src/messages/message-settlements.js';
import { RefusedClaims } from '../../src/messages/refused-claims.js';
import { UnwrittenOutcomes } from '../../src/messages/unwritten-outcomes.js';
import { SchemaGate } from '../../src/schema-gate.js';

/** What keeps the outcomes that PostgreSQL does not write, and tries them again, as the service makes it. */
export function outcomeRetryOn(
  dataSource: DataSource,
  service: Database,
  settlements: MessageSettlements,
): OutcomeRetry {
  return new OutcomeRetry(
    new UnwrittenOutcomes(service),
    settlements,
    new RefusedClaims(service),
    new SchemaGate(dataSource),
  );
}
