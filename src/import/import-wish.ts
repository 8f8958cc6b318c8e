import { parseArgs } from 'node:util';
import { StartupError } from '../startup-error.js';
import { FORMATS, type FormatName } from './import-ledger.js';
import { modeSchema, MODES, type ImportMode } from './import-report.js';

export const USAGE = `npm run import -- FILE [--mode ${MODES.join('|')}] [--format ${FORMATS.join('|')}] [--again]

Stores the messages of a CSV file (header recipient_phone,content) or an NDJSON file in the database of APP_DB_URL.
A run that was broken off goes on where it was; a file that was imported is not imported twice, unless --again.`;

/** What the command is asked for. */
export interface Wish {
  readonly path: string;
  readonly mode: ImportMode;
  readonly format: FormatName | undefined;
  readonly again: boolean;
}

/** @throws StartupError that tells what is wrong with them. */
export function parseWish(args: readonly string[]): Wish {
  const options = {
    mode: { type: 'string', default: MODES[0] },
    format: { type: 'string' },
    again: { type: 'boolean', default: false },
  } as const;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (cause) {
    throw new StartupError(`${cause instanceof Error ? cause.message : String(cause)}\n\n${USAGE}`, { cause });
  }
  const { values, positionals } = parsed;
  const mode = modeSchema.safeParse(values.mode);
  const format = FORMATS.find((name) => name === values.format);
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new StartupError(`Name one file\n\n${USAGE}`);
  if (!mode.success) throw new StartupError(`--mode is ${MODES.join(' or ')}, not ${values.mode}`);
  if (values.format !== undefined && format === undefined) {
    throw new StartupError(`--format is ${FORMATS.join(' or ')}, not ${values.format}`);
  }
  return { path, mode: mode.data, format, again: values.again };
}
