import { closest, distance } from 'fastest-levenshtein';

/** The end of a sentence that names the known name nearest to `unknown`, or nothing when none is near. */
export function didYouMean(unknown: string, known: readonly string[]): string {
  // Names from outside may be as long as etcd allows; none of ours is.
  if (unknown.length > 64 || known.length === 0) return '';
  const nearest = closest(unknown, known);
  return distance(unknown, nearest) <= Math.max(2, Math.floor(nearest.length / 4)) ? `; did you mean ${nearest}?` : '';
}
