import { types } from 'node:util';
import { maskSecrets } from './mask-secrets.js';
import { isFromPostgres, shownText } from './postgres-error.js';

const MAX_CAUSES = 8;

/** What the log keeps of an error, in ECS's names. */
export interface DescribedError {
  readonly type: string;
  readonly message: string;
  readonly stack_trace?: string;
  readonly code?: string;
}

/**
 * Keeps type, message, stack and code of an error and of its causes, secrets masked, and nothing else.
 * Everything else that drivers hang on their errors stays out: PostgreSQL's `detail` and TypeORM's `query` and
 * `parameters` hold phone numbers and contents.
 */
export function describeError(error: unknown): DescribedError {
  if (!isError(error)) return { type: typeof error, message: maskSecrets(textOf(error)) };
  const chain = causesOf(error);
  const code = chain.map(codeOf).find((found) => found !== undefined);
  return {
    type: error.constructor.name || error.name,
    message: maskSecrets(withoutRows(chain.map(messageOf).filter(Boolean).join(': '), chain)),
    stack_trace: maskSecrets(
      withoutRows(chain.map((link) => link.stack ?? messageOf(link)).join('\ncaused by: '), chain),
    ),
    ...(code !== undefined && { code }),
  };
}

/** The text in which each error of PostgreSQL says only what can hold nothing of a row. */
function withoutRows(text: string, chain: readonly Error[]): string {
  return chain
    .filter((link) => link.message !== '' && isFromPostgres(link))
    .reduce((rest, link) => rest.replaceAll(link.message, () => shownText(link)), text);
}

/** The error and its causes, outermost first; a circle ends the walk. */
export function causesOf(error: Error): Error[] {
  const chain: Error[] = [];
  for (let link: unknown = error; isError(link) && chain.length < MAX_CAUSES; link = link.cause) {
    if (chain.includes(link)) break;
    chain.push(link);
  }
  return chain;
}

/** The `code` of an error (of Node, Fastify or PostgreSQL), when it has one that is text. */
export function codeOf(error: unknown): string | undefined {
  const code = isError(error) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Whether this is an Error, whichever realm made it: those of Node's own parts are not `instanceof` a test runner's. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** What an AggregateError gathers; empty for other errors. */
export function membersOf(error: Error): readonly unknown[] {
  return 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
}

// Node gives the AggregateError of a failed connect (IPv6 and IPv4) an empty message.
function messageOf(error: Error): string {
  if (error.message) return error.message;
  return membersOf(error)
    .map((member) => (isError(member) ? member.message : textOf(member)))
    .join('; ');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : `a thrown ${typeof value} that is not an Error`;
}
