import { parseArgs } from 'node:util';
import { FAULT_NAMES } from './faults.js';
import { SABOTAGE_NAMES } from './build.js';
import { HARM_NAMES } from './ordinary/harms.js';

const ORDINARY = 'ordinary';

const USAGE = `npm run chaos -- [--kills 200] [--messages 100000] [--replicas 3] [--seed 1] [--policy hold|resend|both]
  [--rate 500]                         messages per job
  [--faults ${FAULT_NAMES.join(',')}]
                                       only these; --kills then counts faults of any kind
  [--faults ordinary [--seconds 600] [--parked 1000000] [--due 1000000] [--workers 1] [--api-rate 6000]
    [--harms ${HARM_NAMES.join(',')}]]
                                       ordinary life instead of crashes: bad rows, answers, settings, clients and disks beside
                                       good messages; --kills and --messages do not count, --rate is 100 by default
  [--sabotage ${SABOTAGE_NAMES.join('|')}]
                                       run a build with that protection switched off; the verdict must then fail
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
      rate: { type: 'string' },
      seconds: { type: 'string', default: '600' },
      parked: { type: 'string', default: '1000000' },
      due: { type: 'string', default: '1000000' },
      workers: { type: 'string', default: '1' },
      'api-rate': { type: 'string', default: '6000' },
      harms: { type: 'string' },
      faults: { type: 'string' },
      sabotage: { type: 'string' },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const isOrdinary = values.faults === ORDINARY;
  const only = isOrdinary ? null : (values.faults?.split(',') ?? null);
  for (const name of only ?? []) oneOf('faults', name, FAULT_NAMES);
  const harms = values.harms?.split(',') ?? null;
  for (const name of harms ?? []) oneOf('harms', name, HARM_NAMES);
  const policy = oneOf('policy', values.policy, /** @type {const} */ (['hold', 'resend', 'both']));
  return {
    kills: wholeNumber('kills', values.kills, 1),
    messages: wholeNumber('messages', values.messages, 1),
    replicas: wholeNumber('replicas', values.replicas, 1),
    seed: wholeNumber('seed', values.seed, 0),
    policies: policy === 'both' ? ['hold', 'resend'] : [policy],
    rateLimit: wholeNumber('rate', values.rate ?? (isOrdinary ? '100' : '500'), 1),
    only,
    sabotage: values.sabotage === undefined ? null : oneOf('sabotage', values.sabotage, SABOTAGE_NAMES),
    json: values.json ?? null,
    keep: values.keep,
    ordinary: isOrdinary
      ? {
          seconds: wholeNumber('seconds', values.seconds, 1),
          parked: wholeNumber('parked', values.parked, 0),
          due: wholeNumber('due', values.due, 0),
          workers: wholeNumber('workers', values.workers, 1),
          apiRate: wholeNumber('api-rate', values['api-rate'], 1),
          harms,
        }
      : null,
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
