import { parseArgs } from 'node:util';

const SABOTAGES = /** @type {const} */ (['throw', 'log', 'shape', 'leak', 'exit']);

const USAGE = `npm run fuzz -- [--requests 100000] [--seed 1] [--json FILE] [--keep]
  [--sabotage ${SABOTAGES.join('|')}]   run a build that breaks this promise; the verdict must then fail`;

/**
 * @param {readonly string[]} args
 * @returns {import('./types.js').Options}
 */
export function readOptions(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      requests: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      sabotage: { type: 'string' },
    },
  });
  const sabotage = SABOTAGES.find((one) => one === values.sabotage) ?? null;
  if (values.sabotage !== undefined && sabotage === null) throw new Error(USAGE);
  return {
    requests: wholeNumber('requests', values.requests),
    seed: wholeNumber('seed', values.seed),
    json: values.json ?? null,
    keep: values.keep,
    sabotage,
  };
}

/**
 * @param {string} name
 * @param {string} text
 */
function wholeNumber(name, text) {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new Error(`--${name} must be a whole number, but is ${text}\n\n${USAGE}`);
}
