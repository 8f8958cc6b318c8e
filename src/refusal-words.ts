import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

const KINDS: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'an object'],
]);
/** How zod begins what it says by itself; what a schema says in words of its own stays. */
const OF_THE_LIBRARY = /^(?:Invalid (?:input|option)|Too (?:big|small)): /;

/** What is wrong with a value, as a phrase that can follow the name of its field. */
export function wordsOf(issue: Issue): string {
  if (!OF_THE_LIBRARY.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') {
    return wrongKind(issue.expected, / received (\w+)$/.exec(issue.message)?.[1] ?? 'another type');
  }
  if (issue.code === 'invalid_value') return `must be ${issue.values.map(String).join(' or ')}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
  return issue.code === 'too_small' ? `must be at least ${issue.minimum}${unitOf(issue.origin)}` : issue.message;
}

function wrongKind(expected: string, received: string): string {
  const wanted = KINDS.get(expected) ?? expected;
  if (received === 'undefined') return `is missing, and must be ${wanted}`;
  // 1.5 is a number, and no whole one.
  const found = expected === 'int' && received === 'number' ? '' : `, but is ${KINDS.get(received) ?? received}`;
  return `must be ${wanted}${found}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' items long' : '';
}
