import type { Fed, Pause } from './types.js';

export interface CountedTime {
  readonly merged: readonly { from: number; until: number }[];
  /** How much of the time until `at` counts. */
  readonly counted: (at: number) => number;
  /** The instant at which the clock showed that much. */
  readonly instant: (counted: number) => number;
}

export declare function countedTime(pauses: readonly Pause[]): CountedTime;
export declare function turnsOf(
  rows: readonly Fed[],
  pace: { rateLimit: number; intervalMs: number; counted: (at: number) => number },
): Map<number, number>;
