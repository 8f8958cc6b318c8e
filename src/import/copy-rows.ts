import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Client } from 'pg';
import { MessagesKeptOut } from '../messages/message-errors.js';
import { INTERCEPTORS } from '../messages/messages.repository.js';
import { from as copyFrom, type CopyStreamQuery } from 'pg-copy-streams';

/** Rows as the text format of COPY has them, and the line of the file that each begins on. */
export interface RowBatch {
  readonly bytes: Buffer;
  readonly lines: Uint32Array;
}

/** Rows as the text format of COPY has them, gathered until there are enough for one statement. */
export class CopyRows {
  private text = '';
  private lines: number[] = [];

  get count(): number {
    return this.lines.length;
  }

  /** About as many bytes as the rows take. */
  get size(): number {
    return this.text.length;
  }

  add(recipientPhone: string, content: string, line: number): void {
    this.text += `${escaped(recipientPhone)}\t${escaped(content)}\n`;
    this.lines.push(line);
  }

  /** What was gathered; nothing is left. */
  takeAll(): RowBatch {
    const taken = { bytes: Buffer.from(this.text), lines: Uint32Array.from(this.lines) };
    this.text = '';
    this.lines = [];
    return taken;
  }
}

/**
 * Makes messages of such rows, in their order: of all that were written when `end` resolves, of none when anything rejects.
 * Nothing else may run on the connection between the first `write` and `end`.
 */
export class CopyToMessages {
  private readonly stream: CopyStreamQuery;
  private readonly ended: Promise<void>;

  constructor(client: Client) {
    this.stream = client.query(copyFrom('COPY messages (recipient_phone, content) FROM STDIN'));
    this.ended = finished(this.stream);
    // `end` tells of it, or the `write` that waits.
    this.ended.catch(() => undefined);
  }

  /** Resolves when the connection takes more. */
  async write(bytes: Buffer): Promise<void> {
    if (this.stream.destroyed) await this.ended;
    else if (!this.stream.write(bytes)) await once(this.stream, 'drain');
  }

  /** How many rows PostgreSQL took; it leaves out, without an error, those for which a trigger returns none. */
  async end(): Promise<number> {
    this.stream.end();
    await this.ended;
    return this.stream.rowCount;
  }
}

/** Undoes the transaction, and tells what may have kept rows out of it. */
export async function keptOut(client: Client): Promise<MessagesKeptOut> {
  await client.query('ROLLBACK');
  const { rows } = await client.query<{ name: string }>(INTERCEPTORS.text);
  return new MessagesKeptOut(rows.map(({ name }) => name));
}

// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
const SPECIAL = /[\\\n\r\t]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character) : text;
}
