import { warning, type Finding } from './finding.js';

/** What stands in the way of deleting messages, or goes with it. */
export interface DeletionFacts {
  readonly role: string;
  readonly mayDelete: boolean;
  readonly foreignKeys: readonly ForeignKey[];
}

export interface ForeignKey {
  readonly name: string;
  readonly table: string;
  readonly onDelete: 'refuses' | 'deletes' | 'empties';
  /** Whether an index leads to the rows that refer to a message. */
  readonly indexed: boolean;
}

/** Only keys of the table itself, whose rows are those that a deletion checks. */
export const LOOK_AT_DELETION = `
  SELECT quote_ident(current_user) AS role, has_table_privilege('messages', 'DELETE') AS "mayDelete",
    coalesce((
      SELECT json_agg(json_build_object('name', quote_ident(conname), 'table', conrelid::regclass::text,
          'onDelete', CASE confdeltype WHEN 'c' THEN 'deletes' WHEN 'n' THEN 'empties' WHEN 'd' THEN 'empties' ELSE 'refuses' END,
          'indexed', EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1] AND indisvalid
              AND indpred IS NULL)) ORDER BY conrelid::regclass::text, conname)
      FROM pg_constraint WHERE contype = 'f' AND confrelid = 'messages'::regclass), '[]') AS "foreignKeys"`;

/** What an operator should know before messages are deleted by retention, which they are only when that is asked for. */
export function judgeDeletion({ role, mayDelete, foreignKeys }: DeletionFacts): Finding[] {
  return [
    ...(mayDelete
      ? []
      : [
          warning(
            `${role} may not delete messages`,
            `Only retain_sent_days and retain_parked_days need it: GRANT DELETE ON messages TO ${role}`,
          ),
        ]),
    ...foreignKeys.map((key) =>
      warning(foreignKeyText(key), 'Only retain_sent_days and retain_parked_days delete any'),
    ),
  ];
}

export function foreignKeyText({ name, table, onDelete, indexed }: ForeignKey): string {
  const effect = {
    refuses: 'keeps messages that it refers to from being deleted by retention',
    deletes: 'deletes the rows that refer to a message when retention deletes the message',
    empties: 'empties its columns in the rows that refer to a message when retention deletes the message',
  }[onDelete];
  const slow = indexed ? '' : `; no index leads to such rows, so each deletion reads ${table}: create one`;
  return `The foreign key ${name} of ${table} ${effect}${slow}`;
}
