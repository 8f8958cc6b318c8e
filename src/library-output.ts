import { format } from 'node:util';
import type { Logger } from 'pino';

const LEVELS = [
  ['log', 'info'],
  ['info', 'info'],
  ['debug', 'debug'],
  ['warn', 'warn'],
  ['error', 'error'],
] as const;

/** What libraries print by themselves, as ioredis does, becomes lines of the log, masked like all others. */
export function logLibraryOutput(logger: Logger): void {
  for (const [method, level] of LEVELS) console[method] = (...parts: unknown[]) => logger[level](format(...parts));
}
