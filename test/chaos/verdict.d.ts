import type { EvidenceIndex } from './evidence-index.js';
import type { Tally } from './tally.js';
import type { Evidence, Fault, Policy, Verdict } from './types.js';

export declare function judge(evidence: Evidence): Verdict;
export declare function judgeEnd(n: number, index: EvidenceIndex, tally: Tally): void;
export declare function judgeRepetitions(
  n: number,
  policy: Policy,
  index: EvidenceIndex,
  tally: Tally,
  repeatedBy: Map<Fault, number[]>,
): void;
