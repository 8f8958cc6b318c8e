import { SECRETS } from './secrets.js';

/** @typedef {import('../chaos/random.js').Random} Random */
/** @typedef {import('./types.js').Schema} Schema */

const MAX_ITEMS = 4;

/**
 * A value that fits the schema, as far as its schema tells: an example, a limit, one of the listed values.
 * @param {Random} random
 * @param {Schema} given
 * @param {(schema: Schema) => Schema} resolve
 * @returns {unknown}
 */
export function sample(random, given, resolve) {
  const schema = resolve(given);
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches) return sample(random, random.pick(branches), resolve);
  if (schema.enum) return random.pick(schema.enum);
  if (schema.nullable === true && random.next() < 0.1) return null;
  switch (schema.type) {
    case 'object':
      return object(random, schema, resolve);
    case 'array': {
      const length = 1 + Math.floor(random.between(0, MAX_ITEMS));
      return Array.from({ length }, () => sample(random, schema.items ?? {}, resolve));
    }
    case 'string':
      return text(random, schema);
    case 'integer':
    case 'number':
      return random.pick([schema.example ?? 1, schema.minimum ?? 0, schema.maximum ?? 9, 1, 2, 3]);
    case 'boolean':
      return random.next() < 0.5;
    case undefined:
    default:
      return schema.example ?? null;
  }
}

/**
 * @param {Random} random
 * @param {Schema} schema
 * @param {(schema: Schema) => Schema} resolve
 */
function object(random, schema, resolve) {
  const properties = Object.entries(schema.properties ?? {});
  return Object.fromEntries(
    properties
      .filter(([name]) => schema.required?.includes(name) === true || random.next() < 0.5)
      .map(([name, property]) => [name, sample(random, property, resolve)]),
  );
}

/**
 * @param {Random} random
 * @param {Schema} schema
 */
function text(random, { example, pattern, format, minLength = 0, maxLength = 100 }) {
  const usual = typeof example === 'string' ? example : 'text';
  // A number of the same form, so that what is planted is taken in and has its chance to come out again.
  if (/^\+\d{8,15}$/.test(usual)) return `+${random.pick(SECRETS.phones)}`;
  if (pattern !== undefined || format !== undefined) return usual;
  const filler = `${random.pick(SECRETS.contents)} `.repeat(Math.ceil(maxLength / 20));
  const longest = Array.from(filler).slice(0, Math.max(minLength, maxLength)).join('').trimEnd();
  return random.pick([
    usual,
    random.pick(SECRETS.contents).slice(0, maxLength),
    longest,
    '😀'.repeat(Math.min(8, maxLength)),
  ]);
}
