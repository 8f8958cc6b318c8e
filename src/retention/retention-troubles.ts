import { Logger } from '@nestjs/common';
import { foreignKeyText, type ForeignKey } from '../preflight/judge-deletion.js';

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
  noteForeignKeys(found: readonly ForeignKey[]): void {
    const texts = found.map(foreignKeyText);
    const before = this.foreignKeys;
    this.foreignKeys = texts.join('; ');
    if (this.foreignKeys !== before) for (const text of texts) this.logger.warn(text);
  }
}
