import type { Evidence, Verdict } from './types.js';

export declare function judge(evidence: Evidence): Verdict;
