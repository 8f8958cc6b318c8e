/** A place in the list of sent messages, which is ordered by time and then id. */
export interface SentPosition {
  /** As PostgreSQL writes a TIMESTAMP, in microseconds, or `-infinity` for a row that was marked by hand without one. */
  readonly sentAt: string;
  readonly id: number;
}

const SHAPE = /^(-?infinity|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?),(-?\d{1,16})$/;

/** Writes a position as an opaque cursor. */
export function toCursor(position: SentPosition): string {
  return Buffer.from(`${position.sentAt},${position.id}`).toString('base64url');
}

/** Reads a cursor; null when it is not one that `toCursor` wrote. */
export function fromCursor(cursor: string): SentPosition | null {
  const [, sentAt, id] = SHAPE.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (sentAt === undefined || id === undefined) return null;
  return sentAt.endsWith('infinity') || isTime(sentAt) ? { sentAt, id: Number(id) } : null;
}

// JavaScript takes 30 February for 2 March and has a year 0; PostgreSQL refuses both.
function isTime(text: string): boolean {
  const second = text.slice(0, 19).replace(' ', 'T');
  const time = new Date(`${second}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(second) && !text.startsWith('0000');
}
