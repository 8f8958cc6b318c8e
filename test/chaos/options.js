import { parseArgs } from 'node:util';
import { FAULT_NAMES } from './faults.js';

const USAGE = `npm run chaos -- [--kills 200] [--messages 100000] [--replicas 3] [--seed 1] [--policy hold|resend|both]
  [--rate 500]                         messages per job
  [--faults ${FAULT_NAMES.join(',')}]
                                       only these; --kills then counts faults of any kind
  [--sabotage lease|receipt|fence]     run a build with that protection switched off; the verdict must then fail
  [--json FILE] [--keep]               the figures as JSON; keep the folder with logs and ledgers`;

/**
 * @param {readonly string[]} args
 * @returns {import('./types.js').Options}
 */
export function readOptions(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: 'string', default: '200' },
      messages: { type: 'string', default: '100000' },
      replicas: { type: 'string', default: '3' },
      seed: { type: 'string', default: '1' },
      policy: { type: 'string', default: 'both' },
      rate: { type: 'string', default: '500' },
      faults: { type: 'string' },
      sabotage: { type: 'string' },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const only = values.faults?.split(',') ?? null;
  for (const name of only ?? []) oneOf('faults', name, FAULT_NAMES);
  const policy = oneOf('policy', values.policy, /** @type {const} */ (['hold', 'resend', 'both']));
  return {
    kills: wholeNumber('kills', values.kills, 1),
    messages: wholeNumber('messages', values.messages, 1),
    replicas: wholeNumber('replicas', values.replicas, 1),
    seed: wholeNumber('seed', values.seed, 0),
    policies: policy === 'both' ? ['hold', 'resend'] : [policy],
    rateLimit: wholeNumber('rate', values.rate, 1),
    only,
    sabotage:
      values.sabotage === undefined
        ? null
        : oneOf('sabotage', values.sabotage, /** @type {const} */ (['lease', 'receipt', 'fence'])),
    json: values.json ?? null,
    keep: values.keep,
  };
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} min
 */
function wholeNumber(name, text, min) {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && Number.isSafeInteger(number)) return number;
  throw new Error(`--${name} must be a whole number from ${min}, but is ${text}\n\n${USAGE}`);
}

/**
 * @template {string} T
 * @param {string} name
 * @param {string} text
 * @param {readonly T[]} names
 * @returns {T}
 */
function oneOf(name, text, names) {
  const found = names.find((one) => one === text);
  if (found === undefined) throw new Error(`--${name} knows ${names.join(', ')}, but not ${text}\n\n${USAGE}`);
  return found;
}
