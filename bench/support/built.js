import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The product's own folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const MAIN = `${ROOT}dist/src/main.js`;
export const IMPORT = `${ROOT}dist/src/import.js`;

if (!existsSync(MAIN)) {
  throw new Error('The benchmarks run the build: run `npm run build` first, or start them through `npm run`.');
}

/**
 * A module of the product as it is built.
 * @param {string} file below dist/src
 */
async function load(file) {
  /** @type {unknown} */
  const module = await import(new URL(`../../dist/src/${file}`, import.meta.url).href);
  return module;
}

/** @typedef {typeof import('../../src/local/embedded-postgres.js')} Embedded */
/** @typedef {typeof import('../../src/local/free-port.js')} Ports */
/** @typedef {typeof import('../../src/messages/messages.repository.js')} Repository */

export const { startEmbeddedPostgres } = /** @type {Embedded} */ (await load('local/embedded-postgres.js'));
export const { freePort } = /** @type {Ports} */ (await load('local/free-port.js'));

/** The statement behind `GET /sent`. */
export async function sentStatement() {
  const { LIST_SENT } = /** @type {Repository} */ (await load('messages/messages.repository.js'));
  return LIST_SENT;
}

/**
 * The classes that send, to be put together without what is durable behind them.
 * @returns {Promise<Record<'ConcurrencyWindow' | 'DeliveryReceipts' | 'EgressGuard' | 'JobRun' | 'LiveConfig' | 'Settler' | 'WebhookClient', any>>}
 */
export async function sendPath() {
  const files = ['concurrency-window', 'delivery-receipts', 'egress-guard', 'job-run', 'settler', 'webhook.client'];
  const modules = await Promise.all([
    load('config/live-config.js'),
    ...files.map((file) => load(`dispatch/${file}.js`)),
  ]);
  return Object.assign({}, ...modules);
}

/**
 * The classes that claim and settle.
 * @returns {Promise<Record<'createDataSource' | 'Database' | 'MessageClaims' | 'MessageSettlements', any>>}
 */
export async function storePath() {
  const files = ['data-source', 'database', 'messages/message-claims', 'messages/message-settlements'];
  return Object.assign({}, ...(await Promise.all(files.map((file) => load(`${file}.js`)))));
}
