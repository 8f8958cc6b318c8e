/** A place in the list of sent messages, which is ordered by time and then id. */
export interface SentPosition {
  /**
   * As PostgreSQL writes a TIMESTAMP, in microseconds, ` BC` behind it before the year 1; or `-infinity` for a row that was
   * marked by hand without one.
   */
  readonly sentAt: string;
  readonly id: number;
}

const SHAPE = /^(-?infinity|\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: BC)?),(-?\d{1,16})$/;
const TIME = /^(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)/;

/** The bounds of a TIMESTAMP. */
const LAST_YEAR = 294_276;
const FIRST_YEAR_BC = 4714;
const FIRST_DAY_BC = '4714-11-24';
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The columns of a position, in SQL: `to_char` writes no era by itself, and nothing at all for an infinite time. */
export const POSITION_TIME = `coalesce(
        to_char(sent_at, 'YYYY-MM-DD HH24:MI:SS.US') || CASE WHEN sent_at < '0001-01-01' THEN ' BC' ELSE '' END,
        sent_at::text, '-infinity')`;

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

/** Whether PostgreSQL knows such a time. `Date` cannot tell: its years end earlier, and it takes 30 February for 2 March. */
function isTime(text: string): boolean {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = TIME.exec(text)?.slice(1).map(Number) ?? [];
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return false;
  const isBc = text.endsWith(' BC');
  if (day < 1 || day > daysOf(month, isBc ? 1 - year : year)) return false;
  if (year < 1 || year > (isBc ? FIRST_YEAR_BC : LAST_YEAR)) return false;
  return !isBc || year < FIRST_YEAR_BC || text.slice(0, 10) >= FIRST_DAY_BC;
}

function daysOf(month: number, year: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (DAYS_OF_MONTH[month - 1] ?? 0);
}
