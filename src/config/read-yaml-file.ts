import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { codeOf } from '../described-error.js';

/** What a YAML file may hold for a key: text exactly as it was written, or something nested. */
export type YamlValue = string | readonly YamlValue[] | { readonly [key: string]: YamlValue };

/**
 * The keys and values of a YAML document; an empty document has none. Scalars stay text, as they were written
 * (`0x10` is not 16, `no` is not false), so that a file and the environment are read by the same rules.
 * @throws when the text is not YAML or is not a mapping; the message is one line and quotes no value.
 */
export function parseYamlMapping(text: string): ReadonlyMap<string, YamlValue> {
  let document: unknown;
  try {
    document = parse(text, { schema: 'failsafe', maxAliasCount: 10, prettyErrors: true });
  } catch (cause) {
    // oxlint-disable-next-line preserve-caught-error -- the cause quotes the file, which may hold a secret
    throw new Error(reasonOf(cause));
  }
  if (document === null || document === undefined || document === '') return new Map();
  if (!isMapping(document)) {
    throw new Error('the document is not a list of "key: value" lines');
  }
  return new Map(Object.entries(document));
}

/**
 * `parseYamlMapping` of a file; null when there is no such file.
 * @throws when the file cannot be read or parsed.
 */
export function readYamlFile(path: string): ReadonlyMap<string, YamlValue> | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  return parseYamlMapping(text);
}

/** The failsafe schema makes nothing but text, lists and mappings. */
function isMapping(document: unknown): document is Record<string, YamlValue> {
  return typeof document === 'object' && document !== null && !Array.isArray(document);
}

/** What is wrong and where; only the parser's first line, for those below it quote the file, which may hold a secret. */
function reasonOf(error: unknown): string {
  if (!(error instanceof YAMLParseError)) return 'an alias has no anchor, or too many aliases are used';
  return error.message.split('\n', 1)[0]?.replace(/:$/, '') ?? 'not YAML';
}
