import { finished } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** Rows as the text format of COPY has them, gathered until there are enough for one statement. */
export class CopyRows {
  private text = '';
  private rows = 0;

  get count(): number {
    return this.rows;
  }

  /** About as many bytes as the rows take. */
  get size(): number {
    return this.text.length;
  }

  add(recipientPhone: string, content: string): void {
    this.text += `${escaped(recipientPhone)}\t${escaped(content)}\n`;
    this.rows += 1;
  }

  /** What was gathered; nothing is left. */
  takeAll(): { readonly bytes: Buffer; readonly count: number } {
    const taken = { bytes: Buffer.from(this.text), count: this.rows };
    this.text = '';
    this.rows = 0;
    return taken;
  }
}

/** Makes messages of such rows, in their order: of all of them, or of none when it rejects. */
export async function copyRows(client: Client, bytes: Buffer): Promise<void> {
  const copy = client.query(copyFrom('COPY messages (recipient_phone, content) FROM STDIN'));
  copy.end(bytes);
  await finished(copy);
}

// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
const SPECIAL = /[\\\n\r\t]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character) : text;
}
