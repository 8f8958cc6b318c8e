import { readFileSync } from 'node:fs';
import {
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  YAMLParseError,
  type Document,
  type ErrorCode,
  type Node,
} from 'yaml';
import { codeOf } from '../described-error.js';
import { withHiddenEscaped } from '../hidden-characters.js';

const MAX_DEPTH = 32;

/** What is wrong, for each of the parser's codes. Its own words quote the file, which may hold a secret. */
const FAULTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ALIAS_PROPS: 'an alias has an anchor or a tag',
  BAD_ALIAS: 'an alias (*name) is not well-formed; put a text that begins with * in quotes',
  BAD_DIRECTIVE: 'a directive (a line that begins with %) is unknown or not well-formed',
  BAD_DQ_ESCAPE: 'an escape in double quotes is not valid; write \\ for a backslash, or use single quotes',
  BAD_INDENT: 'the indentation does not fit the lines before',
  BAD_SCALAR_START: 'a text begins with a character that needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a line holds a key within a value; put the value in quotes',
  DUPLICATE_KEY: 'a key stands there twice',
  MISSING_CHAR: 'a closing quote or bracket, a colon or a blank is missing',
  MULTILINE_IMPLICIT_KEY: 'a line that continues a key or a value has no colon',
  MULTIPLE_DOCS: 'there is more than one document',
  TAB_AS_INDENT: 'a line is indented by a tab; use blanks',
  UNEXPECTED_TOKEN: 'there is text that belongs to nothing; put a value with special characters in quotes',
};

/** What a YAML file may hold for a key: text exactly as it was written, or something nested. */
export type YamlValue = string | readonly YamlValue[] | { readonly [key: string]: YamlValue };

/**
 * The keys and values of a YAML document; an empty document has none. Scalars stay text, as they were written
 * (`0x10` is not 16, `no` is not false), so that a file and the environment are read by the same rules.
 * A tag (`!vault x`, `!!int x`) is refused: nothing here resolves it, and its text alone is not what the author meant.
 * @throws when the text is not YAML or is not a mapping; the message is one line and quotes no value.
 */
export function parseYamlMapping(text: string): ReadonlyMap<string, YamlValue> {
  let document: unknown;
  try {
    document = parsed(text);
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

/** The library would print its warnings, with the line that they are about, which may hold a secret: they are refusals. */
function parsed(text: string): unknown {
  if (isDeep(text)) throw new Refusal(`values are nested deeper than ${MAX_DEPTH} levels`);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', prettyErrors: false, logLevel: 'error', lineCounter });
  const tag = firstTag(document);
  if (tag !== null) {
    const { line } = lineCounter.linePos(tag.at);
    const key = tag.key === null ? '' : `${withHiddenEscaped(tag.key.slice(0, 64))} `;
    throw new Refusal(`${key}has a tag at line ${line}, such as !vault; write the value itself, without a tag`);
  }
  const [fault = document.warnings[0]] = document.errors;
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.pos[0]);
    throw new Refusal(`${textOf(fault.code)} at line ${line}, column ${col}`);
  }
  return document.toJS({ maxAliasCount: 10 });
}

/**
 * Whether a text may nest values deeper than any settings do, judged without parsing: the parser recurses, and thousands of
 * levels end the process, not with an error. Brackets in quotes and comments count as well.
 */
function isDeep(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1;
    else if ((character === ']' || character === '}') && depth > 0) depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  // Levels of blocks begin with a blank or an indicator each.
  return text.split('\n').some((line) => (/^(?:[-?:]?[ \t])*/.exec(line)?.[0].length ?? 0) > 4 * MAX_DEPTH);
}

class Refusal extends Error {}

function firstTag(document: Document): { key: string | null; at: number } | null {
  let found: { key: string | null; at: number } | null = null;
  visit(document, {
    Node(_key, node: Node, path) {
      if (node.tag === undefined) return undefined;
      const pair = path.find(isPair);
      const key = pair !== undefined && isScalar(pair.key) && pair.key !== node ? String(pair.key.value) : null;
      found = { key, at: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}

/** The failsafe schema makes nothing but text, lists and mappings. */
function isMapping(document: unknown): document is Record<string, YamlValue> {
  return typeof document === 'object' && document !== null && !Array.isArray(document);
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  return error instanceof YAMLParseError ? textOf(error.code) : 'an alias has no anchor, or too many aliases are used';
}

function textOf(code: ErrorCode): string {
  return FAULTS[code] ?? 'this is not YAML';
}
