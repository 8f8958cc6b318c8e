import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { IMPORT } from '../support/built.js';
import { figure, median } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { onPath } from '../../test/support/service-binaries.js';

/** @typedef {import('../support/stage.js').Stage} Stage */
/** @typedef {import('../support/postgres.js').Database} Database */

const TYPES = /** @type {const} */ ({ csv: 'text/csv', ndjson: 'application/x-ndjson' });
/** @typedef {keyof typeof TYPES} Format */

/**
 * The same rows into the same table by `psql \copy`, over HTTP and by the command, in turn: rates against psql's, and the
 * memory that it took.
 * @param {Stage} stage
 * @param {{ rows: number, rounds: number }} options
 */
export async function measureImport(stage, { rows, rounds }) {
  const psql = onPath('psql');
  if (psql === undefined)
    throw new Error('psql is needed to compare with: install the Debian package postgresql-client');
  const folder = await stage.folderFor('files');
  const files = { csv: join(folder, 'messages.csv'), ndjson: join(folder, 'messages.ndjson') };
  await pipeline(csvOf(rows), createWriteStream(files.csv));
  await pipeline(ndjsonOf(rows), createWriteStream(files.ndjson));
  const server = await Postgres.start(stage);
  const database = await server.database();
  const product = await Product.start(stage, { env: { APP_DB_URL: database.url }, live: { auto_sending: false } });
  const before = (await product.memoryMb()).now;
  let commandPeak = 0;
  /** @type {Record<string, () => Promise<unknown>>} */
  const ways = {
    'psql \\copy': () =>
      promisify(execFile)(psql, [
        database.url,
        '-qc',
        `\\copy messages (recipient_phone, content) from '${files.csv}' with (format csv, header)`,
      ]),
    'HTTP, CSV': () => upload(product, files.csv, 'csv'),
    'HTTP, NDJSON': () => upload(product, files.ndjson, 'ndjson'),
    'command, CSV': async () => (commandPeak = Math.max(commandPeak, await command(stage, database, files.csv))),
    'command, NDJSON': async () => (commandPeak = Math.max(commandPeak, await command(stage, database, files.ndjson))),
  };
  /** @type {Record<string, number[]>} */
  const rates = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(ways)) {
      await database.rows('TRUNCATE messages, imports');
      await database.settle();
      const startedAt = performance.now();
      await run();
      const seconds = (performance.now() - startedAt) / 1000;
      const { stored } = await database.row('SELECT count(*)::int AS stored FROM messages');
      if (stored !== rows) throw new Error(`${name} stored ${String(stored)} rows of ${rows}`);
      (rates[name] ??= []).push(rows / seconds);
    }
  }
  const { peak } = await product.memoryMb();
  const base = median(rates['psql \\copy'] ?? []);
  return [
    ...Object.keys(ways)
      .slice(1)
      .map((name) => ({
        what: `import of ${figure(rows)} rows (${name}) ÷ psql \\copy`,
        value: median(rates[name] ?? []) / base,
        aim: '≥ 0.5',
        note: `${figure(median(rates[name] ?? []))}/s ÷ ${figure(base)}/s, medians of ${rounds}`,
      })),
    {
      what: `RSS of the service at its peak − before, importing ${figure(rows)} rows over HTTP`,
      value: peak - before,
      unit: 'MB',
      note: `${figure(peak)} MB − ${figure(before)} MB; the command peaked at ${figure(commandPeak)} MB`,
    },
  ];
}

/** @param {number} n */
const phone = (n) => `+90555${String(n % 10_000_000).padStart(7, '0')}`;
/** One text in ten needs quotes in CSV, and holds a letter outside ASCII. @param {number} n */
const content = (n) => `Message number ${n}${n % 10 === 0 ? ', with ö, "quotes" and a comma' : ' for you'}`;

const GATHERED = 10_000;

/** @param {number} rows */
function* csvOf(rows) {
  yield 'recipient_phone,content\n';
  yield* gathered(rows, (n) => {
    const field = content(n);
    return `${phone(n)},${/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field}\n`;
  });
}

/** @param {number} rows */
function* ndjsonOf(rows) {
  yield* gathered(rows, (n) => `${JSON.stringify({ recipient_phone: phone(n), content: content(n) })}\n`);
}

/**
 * @param {number} rows
 * @param {(n: number) => string} line
 */
function* gathered(rows, line) {
  for (let from = 1; from <= rows; from += GATHERED) {
    yield Array.from({ length: Math.min(GATHERED, rows - from + 1) }, (_, index) => line(from + index)).join('');
  }
}

/**
 * @param {Product} product
 * @param {string} file
 * @param {Format} format
 */
async function upload(product, file, format) {
  const outgoing = request(`${product.origin}/messages/import`, {
    method: 'POST',
    headers: { 'content-type': TYPES[format] },
  });
  const replied = once(outgoing, 'response');
  await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), outgoing);
  const [response] = await replied;
  const body = await text(response);
  if (response.statusCode !== 200)
    throw new Error(`the import was answered ${response.statusCode}: ${body.slice(0, 300)}`);
}

/**
 * Runs the command; returns the most memory that it was seen to use, in MB.
 * @param {Stage} stage
 * @param {Database} database
 * @param {string} file
 */
async function command(stage, database, file) {
  const child = await stage.spawn(process.execPath, [IMPORT, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: process.env.PATH, APP_ENV: 'production', APP_DB_URL: database.url },
  });
  const exit = once(child, 'exit');
  let peak = 0;
  const look = async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  };
  const looking = setInterval(() => void look(), 200);
  const [code] = await exit;
  clearInterval(looking);
  if (code !== 0) throw new Error(`the command ended with ${String(code)}`);
  return peak;
}
