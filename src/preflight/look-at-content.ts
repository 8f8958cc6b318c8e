import { MAX_UNSENT_COUNTED, type ContentFacts, type TableFacts } from './database-facts.js';
import type { Ask } from './look-at-database.js';
import { OWN_COLUMNS } from './table-contract.js';
import { isRestored } from './is-restored.js';

/**
 * Looks at what is in the rows, as far as the adoption depends on it. Columns of another type than the service's are left
 * to who judges types. Reads the table once for each thing to know, and none that cannot be read or is no table.
 */
export async function lookAtContent(ask: Ask, table: TableFacts): Promise<ContentFacts | null> {
  const [readable] = await ask<{ yes: boolean }>(`SELECT has_table_privilege('messages', 'SELECT') AS yes`);
  if (readable?.yes !== true) return null;
  const found = new Map(table.columns.map((column) => [column.name, column]));
  const exists = async (condition: string) =>
    (await ask<{ yes: boolean }>(`SELECT EXISTS (SELECT FROM messages WHERE ${condition}) AS yes`))[0]?.yes === true;
  const usedColumns: string[] = [];
  for (const { name, type, unused } of isRestored(table) ? [] : OWN_COLUMNS) {
    if (found.get(name)?.base === type && (await exists(`(${unused}) IS NOT TRUE`))) usedColumns.push(name);
  }
  const status = found.get('sent_status');
  const isStatus = status?.base === 'boolean';
  const [counted] = isStatus
    ? await ask<{ unsent: number }>(
        `SELECT count(*)::int AS unsent FROM (
           SELECT FROM messages WHERE sent_status IS NOT TRUE LIMIT ${MAX_UNSENT_COUNTED + 1}) AS unsent_rows`,
      )
    : [];
  return {
    usedColumns,
    hasUnknownStatus: isStatus && status.nullable && (await exists('sent_status IS NULL')),
    hasInexactIds:
      found.get('id')?.base === 'bigint' &&
      ((await exists(`id > ${Number.MAX_SAFE_INTEGER}`)) || (await exists(`id < ${Number.MIN_SAFE_INTEGER}`))),
    unsent: counted?.unsent ?? 0,
  };
}
