import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** A name under which this process owns something in the database: its machine and pid for people, and what no other process has. */
export function ownerName(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}
