import type { Tap } from './tcp-proxy.js';

const HEADER_BYTES = 5;

/**
 * Counts the statements that clients send to PostgreSQL: simple queries and executions of prepared ones.
 * It reads the protocol's messages (a type byte, then a length that counts itself); the first of a connection has no type.
 */
export class StatementCounter {
  count = 0;

  /** The listener for one connection. */
  readonly tap = (): Tap => {
    let rest = Buffer.alloc(0);
    let started = false;
    return (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= HEADER_BYTES) {
        const size = started ? 1 + rest.readInt32BE(1) : rest.readInt32BE(0);
        if (rest.length < size) return;
        const type = started ? String.fromCharCode(rest[0] ?? 0) : 'startup';
        if (type === 'Q' || type === 'E') this.count += 1;
        started = true;
        rest = rest.subarray(size);
      }
    };
  };
}
