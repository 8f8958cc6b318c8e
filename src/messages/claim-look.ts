/** The end of a retry's pause, in microseconds since 1970, and its id. */
export type RetryPlace = readonly [dueAt: number, id: number];

/** From where one kind of messages is looked at: null, from the start; `ended`: not at all. */
export type LookFrom<Place> = Place | null | 'ended';

/** What a claim looks at. */
export interface ClaimLook {
  readonly fresh: LookFrom<number>;
  readonly retries: LookFrom<RetryPlace>;
  /** Whether to look at many more messages than the claim needs, because others have very many locked. */
  readonly far: boolean;
}

export const FROM_THE_START: ClaimLook = { fresh: null, retries: null, far: false };

/** How far a claim looked at one kind of messages. */
export interface Looked<Place> {
  readonly claimed: number;
  /** Where to go on; null: there is nothing more, but for what others have locked and what this claim passed over. */
  readonly next: Place | null;
}

/** What the `look` of a claim's statement tells. */
export interface LookRow {
  readonly wanted: number;
  readonly retriesWanted: number;
  readonly freshTo: number | null;
  readonly retryToAt: number | null;
  readonly retryToId: number | null;
}

/** Of the ids of the fresh ones that were claimed, oldest first. null: the claim wanted none. */
export function lookedAtFresh(ids: readonly number[], wanted: number, { freshTo }: LookRow): Looked<number> | null {
  if (wanted <= 0) return null;
  const last = ids.at(-1) ?? freshTo;
  const more = ids.length >= wanted || freshTo !== null;
  return { claimed: ids.length, next: more && last !== null ? last + 1 : null };
}

/** Of the places of the retries that were claimed, in any order. null: the claim wanted none. */
export function lookedAtRetries(places: readonly RetryPlace[], row: LookRow): Looked<RetryPlace> | null {
  const { retriesWanted, retryToAt, retryToId } = row;
  if (retriesWanted <= 0) return null;
  const end: RetryPlace | null = retryToAt === null || retryToId === null ? null : [retryToAt, retryToId];
  const last = places.length === 0 ? end : places.reduce((latest, place) => (isBefore(latest, place) ? place : latest));
  const more = places.length >= retriesWanted || end !== null;
  return { claimed: places.length, next: more && last !== null ? [last[0], last[1] + 1] : null };
}

export function isBefore([leftAt, leftId]: RetryPlace, [rightAt, rightId]: RetryPlace): boolean {
  return leftAt < rightAt || (leftAt === rightAt && leftId < rightId);
}
