import type { TableFacts } from './database-facts.js';
import { MARKS_OF_A_RESTORED_TABLE, OWN_COLUMNS } from './table-contract.js';

/** Whether the table has been the service's own before, and came back from a backup without the service's other tables. */
export function isRestored(table: TableFacts): boolean {
  return MARKS_OF_A_RESTORED_TABLE.every((mark) => {
    const needed = OWN_COLUMNS.find(({ name }) => name === mark);
    return table.columns.some(({ name, base }) => name === mark && base === needed?.type);
  });
}
