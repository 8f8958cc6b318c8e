import { createServer, connect } from 'node:net';
import { once } from 'node:events';

/** Query, Parse, Bind and Execute of PostgreSQL's frontend protocol: what a client asks the server to do. */
const COUNTED = new Set(['Q', 'P', 'B', 'E'].map((type) => type.charCodeAt(0)));

/** Stands between the service and PostgreSQL and counts what the service asks. */
export class QueryCounter {
  /** Messages of the counted kinds since `reset`. */
  messages = 0;
  /** Statements among them: simple queries and executions. */
  statements = 0;

  /** @param {string} url of the server, through the counter */
  constructor(url) {
    this.url = url;
  }

  reset() {
    this.messages = 0;
    this.statements = 0;
  }

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {string} databaseUrl
   */
  static async start(stage, databaseUrl) {
    const { hostname, port } = new URL(databaseUrl);
    /** @type {QueryCounter} */
    let counter;
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      const read = frontendReader((type) => counter.#count(type));
      client.on('data', read).pipe(upstream);
      upstream.pipe(client);
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stage.defer(() => server.close());
    const through = new URL(databaseUrl);
    through.port = String(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
    counter = new QueryCounter(through.href);
    return counter;
  }

  /** @param {number} type */
  #count(type) {
    if (!COUNTED.has(type)) return;
    this.messages += 1;
    if (type === 0x51 || type === 0x45) this.statements += 1;
  }
}

/**
 * Reads the frontend's side of a connection without TLS: one start-up packet without a type, then typed messages.
 * @param {(type: number) => void} onMessage
 */
function frontendReader(onMessage) {
  let pending = Buffer.alloc(0);
  let started = false;
  /** @param {Buffer} chunk */
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const typeBytes = started ? 1 : 0;
      if (pending.length < typeBytes + 4) return;
      const end = typeBytes + pending.readInt32BE(typeBytes);
      if (pending.length < end) return;
      if (started) onMessage(pending.readUInt8(0));
      started = true;
      pending = pending.subarray(end);
    }
  };
}
