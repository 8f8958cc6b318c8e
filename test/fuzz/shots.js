import { Random } from '../chaos/random.js';
import { mangledJson, mutated } from './mutate.js';
import { sample } from './sample.js';
import { SECRETS } from './secrets.js';
import { nastyText } from './values.js';

/** @typedef {import('./types.js').Shot} Shot */
/** @typedef {import('./types.js').Target} Target */
/** @typedef {import('./types.js').Parameter} Parameter */
/** @typedef {import('./document.js').ApiDocument} ApiDocument */

/** Message ids: most exist after a while. */
const IDS = 400;
/** Mostly short pages, so that the run is about input and not about reading long lists. */
const USUAL_LIMIT = 5;

const WRONG_TYPES = [
  'text/plain',
  'application/xml',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json;',
  'APPLICATION/JSON',
  'application/json, text/plain',
  'nonsense',
  '',
];

const STRANGE_PATHS = [
  '/',
  '//',
  '/.',
  '/..%2f..%2fetc%2fpasswd',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/messages%2f1',
  '/messages/%00',
  '/messages/%',
  '/messages/%zz',
  '/messages/%c0%af',
  '/messages/1/',
  '/MESSAGES',
  '/sent;a=b',
  '/sent#fragment',
  '/__proto__',
  '/constructor',
  '/swagger/../package.json',
  '/swagger/index.html/..%2f..%2fpackage.json',
  '/swagger/index.html/%2e%2e/%2e%2e/package.json',
  `/${'a'.repeat(8_000)}`,
  `/messages/${'9'.repeat(4_000)}`,
  '/messages/1/retry/1',
  '/health/../config',
  '/config/../sent',
];

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'PURGE', 'M-SEARCH'];

/**
 * The shot with this number: the seed and the number alone decide it.
 * @param {ApiDocument} api
 * @param {number} seed
 * @param {number} number
 * @returns {Shot}
 */
export function shotNumber(api, seed, number) {
  const random = new Random(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const target = random.pick(api.targets);
  return random.weigh([
    [4, () => aimed(random, api, target, { how: 'as documented' })],
    [5, () => aimed(random, api, target, { how: 'a body with a fault', body: 'mutated' })],
    [3, () => aimed(random, api, target, { how: 'a mangled body', body: 'mangled' })],
    [3, () => aimed(random, api, target, { how: 'strange parameters', parameters: 'strange' })],
    [1, () => aimed(random, api, target, { how: 'a wrong content type', type: random.pick(WRONG_TYPES) })],
    [1, () => astray(random)],
  ])();
}

/**
 * @param {Random} random
 * @param {ApiDocument} api
 * @param {Target} target
 * @param {{ how: string, body?: 'mutated' | 'mangled', parameters?: 'strange', type?: string }} manner
 * @returns {Shot}
 */
function aimed(random, api, target, manner) {
  const { operation, method } = target;
  const parameters = operation.parameters ?? [];
  const strange = manner.parameters === 'strange';
  const value = (/** @type {Parameter} */ parameter) =>
    strange && random.next() < 0.6 ? nastyText(random) : usualValue(random, api, parameter);
  const path = target.path.replace(/\{(\w+)\}/g, (_, name) => {
    const parameter = parameters.find((one) => one.name === name && one.in === 'path');
    return encoded(parameter === undefined ? '1' : value(parameter));
  });
  const query = parameters
    .filter((one) => one.in === 'query' && (one.required === true || random.next() < 0.5))
    .map((one) => [one.name, value(one)]);
  if (strange) query.push(...strangeQuery(random, query));
  const headers = { ...usualHeaders(random), ...headerParameters(random, parameters, value) };
  const { how, body, type } = bodyFor(random, api, target, manner);
  const search = query.map(([name = '', text = '']) => `${encoded(name)}=${encoded(text)}`).join('&');
  // A part of the path that is empty, or two dots, makes it another path.
  const hit = path
    .split('/')
    .slice(1)
    .every((part) => part !== '' && !/^(?:\.|%2e){1,2}$/i.test(part));
  return {
    target: hit ? target : null,
    method,
    url: search === '' ? path : `${path}?${search}`,
    headers: type === null ? headers : { ...headers, 'content-type': type },
    body,
    how,
  };
}

/**
 * @param {Random} random
 * @param {ApiDocument} api
 * @param {Target} target
 * @param {{ how: string, body?: 'mutated' | 'mangled', type?: string }} manner
 */
function bodyFor(random, api, { method, operation }, manner) {
  if (method === 'GET') return { how: manner.how, body: null, type: null };
  const [type, media] = random.pick([
    ...Object.entries(operation.requestBody?.content ?? {}),
    ...(operation.requestBody ? [] : [/** @type {const} */ (['application/json', undefined])]),
  ]);
  const sent = { type: manner.type ?? type };
  const optional = operation.requestBody?.required !== true;
  if (optional && manner.body === undefined && random.next() < 0.5) return { how: manner.how, body: null, type: null };
  const fitting = sample(random, media?.schema ?? {}, (schema) => api.resolve(schema));
  if (!type.includes('json') || type.includes('ndjson')) {
    const text = typeof fitting === 'string' ? fitting : JSON.stringify(fitting);
    return { ...sent, how: manner.how, body: manner.body === undefined ? text : `${text}\n${nastyText(random)}` };
  }
  if (manner.body === 'mangled') {
    const { how, body } = mangledJson(random, fitting);
    return { ...sent, how, body };
  }
  const value = manner.body === 'mutated' ? mutated(random, fitting) : fitting;
  return { ...sent, how: manner.how, body: JSON.stringify(value) ?? 'null' };
}

/**
 * @param {Random} random
 * @param {ApiDocument} api
 * @param {Parameter} parameter
 */
function usualValue(random, api, { name, in: place, schema = {} }) {
  if (place === 'path' && name === 'id') return `${1 + Math.floor(random.between(0, IDS))}`;
  if (name === 'limit' && random.next() < 0.95) return `${USUAL_LIMIT}`;
  if (name === 'key')
    return random.pick(['rate_limit', 'max_attempts', 'webhook_auth_key', 'on_uncertain', 'no_such_key']);
  return String(sample(random, schema, (one) => api.resolve(one)));
}

/**
 * @param {Random} random
 * @param {readonly (readonly string[])[]} query
 * @returns {string[][]}
 */
function strangeQuery(random, query) {
  const [name = 'limit'] = query.length > 0 ? random.pick(query) : [];
  return random.pick([
    [],
    [[name, nastyText(random)]],
    [
      [name, '1'],
      [name, '2'],
    ],
    [[`${name}[]`, '1']],
    [[`${name}[a]`, '1']],
    [
      ['__proto__', '1'],
      ['constructor', '2'],
    ],
    [[nastyText(random), nastyText(random)]],
    Array.from({ length: 200 }, (_, at) => [`${name}${at}`, '1']),
  ]);
}

/**
 * @param {Random} random
 * @returns {Record<string, string>}
 */
function usualHeaders(random) {
  return random.weigh([
    [8, {}],
    [1, { authorization: `Bearer ${SECRETS.token}`, cookie: `session=${SECRETS.token}` }],
    [1, { 'x-correlation-id': 'x'.repeat(200) }],
    [1, { accept: 'text/html', 'accept-encoding': 'gzip, br', 'if-none-match': '*', range: 'bytes=0-1' }],
    [1, { 'x-forwarded-for': '1.2.3.4, '.repeat(20), 'x-http-method-override': 'DELETE', origin: 'null' }],
    [1, { 'x-ins-auth-key': SECRETS.token, te: 'trailers' }],
  ]);
}

/**
 * @param {Random} random
 * @param {readonly Parameter[]} parameters
 * @param {(parameter: Parameter) => string} value
 */
function headerParameters(random, parameters, value) {
  return Object.fromEntries(
    parameters
      .filter((one) => one.in === 'header' && (one.required === true || random.next() < 0.5))
      // What no header can hold never leaves an HTTP library; raw bytes are for that.
      .map((one) => [
        one.name.toLowerCase(),
        value(one)
          .replace(/[^\x20-\x7e]/g, '?')
          .slice(0, 4_000),
      ]),
  );
}

/**
 * A request to somewhere else.
 * @param {Random} random
 * @returns {Shot}
 */
function astray(random) {
  const method = random.pick(METHODS);
  const url = random.pick([
    ...STRANGE_PATHS,
    `/messages/+${random.pick(SECRETS.phones)}`,
    `/${encoded(nastyText(random))}`,
  ]);
  const withBody = method !== 'GET' && method !== 'HEAD' && method !== 'TRACE' && random.next() < 0.5;
  return {
    target: null,
    method,
    url,
    headers: withBody ? { 'content-type': 'application/json' } : {},
    body: withBody ? JSON.stringify({ content: random.pick(SECRETS.contents) }) : null,
    how: 'astray',
  };
}

/** @param {string} text */
function encoded(text) {
  return encodeURIComponent(text.isWellFormed() ? text : text.toWellFormed());
}
