// The receiver of a campaign, in a process of its own that no fault reaches. It keeps a ledger of every request and answers
// as the seed says. The parent talks to it over IPC; it ends with the parent.

// The sender is the product: a body that is not what it sends must stop the campaign.
/* oxlint-disable typescript/no-unsafe-type-assertion */

import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mannerOf } from './manner.js';
import { ordinaryMannerOf } from './ordinary/manner.js';

/** How slowly it answers what comes again while the first sender hangs: long enough for that one to wake up meanwhile. */
const AGAIN_MS = 1_200;

/** @typedef {import('./types.js').Request} Request */

const seed = Number(process.argv[2]);
/** @type {Request[]} */
const ledger = [];
/** @type {Map<number, number>} */
const counts = new Map();
/** @type {Set<Request>} */
const open = new Set();
/** @type {{ replica: number, suspects: Set<number> } | null} */
let watched = null;

const server = createServer({ keepAliveTimeout: 60_000 });
server.on('request', (incoming, response) => {
  /** @type {Buffer[]} */
  const chunks = [];
  incoming.on('error', () => undefined);
  response.on('error', () => undefined);
  incoming.on('data', (/** @type {Buffer} */ chunk) => chunks.push(chunk));
  incoming.on('end', () => take(incoming, response, Buffer.concat(chunks).toString()));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') tell({ port: address.port });
});

process.on('disconnect', () => process.exit(0));
// The terminal's Ctrl-C reaches every process of the group; the parent decides when this one ends.
process.on('SIGINT', () => undefined);
process.on('message', (/** @type {{ watch?: number, unwatch?: true, stats?: true, ledger?: string }} */ order) => {
  if (order.watch !== undefined) {
    const { watch } = order;
    watched = {
      replica: watch,
      suspects: new Set([...open].filter(({ replica }) => replica === watch).map(({ n }) => n)),
    };
  }
  if (order.unwatch) watched = null;
  if (order.stats) {
    const sending = [...new Set([...open].map(({ replica }) => replica))];
    tell({ stats: { requests: ledger.length, messages: counts.size, sending } });
  }
  if (order.ledger !== undefined) void write(order.ledger);
});

/**
 * @param {import('node:http').IncomingMessage} incoming
 * @param {import('node:http').ServerResponse} response
 * @param {string} body
 */
function take(incoming, response, body) {
  const content = /** @type {{ content: string }} */ (JSON.parse(body)).content;
  const [, kind = '', digits] = /(\w+) (\d+)$/.exec(content) ?? [];
  const n = Number(digits);
  const count = (counts.get(n) ?? 0) + 1;
  counts.set(n, count);
  const replica = Number(/\d+$/.exec(incoming.url ?? '')?.[0]);
  const ordinary = kind === 'Project' ? null : ordinaryMannerOf(seed, kind, n, count);
  const { behaviour, delayMs, takes } = ordinary ?? mannerOf(seed, n, count);
  /** @type {Request} */
  const entry = {
    n,
    key: String(incoming.headers['idempotency-key']),
    replica,
    trace: String(incoming.headers['x-correlation-id']),
    arrivedAt: Date.now(),
    answeredAt: null,
    cutAt: null,
    behaviour,
    took: takes,
  };
  ledger.push(entry);
  open.add(entry);
  response.on('close', () => {
    open.delete(entry);
    if (response.writableFinished) entry.answeredAt = Date.now();
    else entry.cutAt = Date.now();
  });
  setTimeout(
    () =>
      ordinary === null || ordinary.status === 0
        ? answer(entry, incoming, response)
        : response.writeHead(ordinary.status, ordinary.headers).end(ordinary.body),
    delayMs + slowedBy(entry),
  );
}

/** @param {Request} entry */
function slowedBy(entry) {
  if (watched === null) return 0;
  if (entry.replica === watched.replica) watched.suspects.add(entry.n);
  else if (watched.suspects.has(entry.n)) {
    tell({ seenAgain: watched.replica });
    return AGAIN_MS;
  }
  return 0;
}

/**
 * @param {Request} entry
 * @param {import('node:http').IncomingMessage} incoming
 * @param {import('node:http').ServerResponse} response
 */
function answer({ behaviour }, incoming, response) {
  switch (behaviour) {
    case 'reset':
      incoming.socket.resetAndDestroy();
      return;
    case 'ordinary':
    case 'busy':
      response.writeHead(503, { 'retry-after': '1' }).end();
      return;
    case 'bad':
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"no such phone"}');
      return;
    case 'html':
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<p>This URL has no default content configured.</p>');
      return;
    case 'prompt':
    case 'slow':
    case 'late':
      response
        .writeHead(202, { 'content-type': 'application/json' })
        .end(JSON.stringify({ message: 'Accepted', messageId: randomUUID() }));
  }
}

/** @param {string} path */
async function write(path) {
  const lines = ledger.values();
  await pipeline(
    Readable.from(
      (function* () {
        for (const entry of lines) yield `${JSON.stringify(entry)}\n`;
      })(),
    ),
    createWriteStream(path),
  );
  tell({ written: path });
}

/** @param {Record<string, unknown>} report */
function tell(report) {
  if (process.connected) process.send?.(report);
}
