import { Logger } from '@nestjs/common';
import type { Examination } from './retention-store.js';

/** What keeps retention from something, for people: each thing is logged when it begins, when its reason changes and when it is over. */
export class RetentionTroubles {
  private readonly logger = new Logger('Retention');
  private readonly known = new Map<string, { readonly reason: string; readonly text: string }>();
  private foreignKeys = '';

  /** Everything, as one text; null when nothing is. */
  get text(): string | null {
    return [...this.known.values()].map(({ text }) => text).join('; ') || null;
  }

  /** `reason` tells a new trouble from one that goes on with other figures. */
  note(about: string, reason: string, text: string): void {
    if (this.known.get(about)?.reason !== reason) this.logger.warn(text);
    this.known.set(about, { reason, text });
  }

  isOver(about: string): void {
    const before = this.known.get(about);
    if (before === undefined) return;
    this.known.delete(about);
    this.logger.log(`No longer so: ${before.text}`);
  }

  /** Says what deleting messages does to other tables, once per change. */
  noteForeignKeys(found: Examination['foreignKeys']): void {
    const texts = found.map(foreignKeyText);
    const before = this.foreignKeys;
    this.foreignKeys = texts.join('; ');
    if (this.foreignKeys !== before) for (const text of texts) this.logger.warn(text);
  }
}

export function foreignKeyText({ name, table, onDelete, indexed }: Examination['foreignKeys'][number]): string {
  const effect = {
    refuses: 'keeps messages that it refers to from being deleted by retention',
    deletes: 'deletes the rows that refer to a message when retention deletes the message',
    empties: 'empties its columns in the rows that refer to a message when retention deletes the message',
  }[onDelete];
  const slow = indexed ? '' : `; no index leads to such rows, so each deletion reads ${table}: create one`;
  return `The foreign key ${name} of ${table} ${effect}${slow}`;
}
