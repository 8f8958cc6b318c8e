import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from './built.js';

/** @typedef {import('./stage.js').Stage} Stage */

/** What the machine's owner would set; fsync, synchronous_commit and full_page_writes stay on. */
const SETTINGS = { shared_buffers: '512MB', max_wal_size: '4GB', max_connections: '200' };

/** A real PostgreSQL with durable writes; each measurement has a database of its own in it. */
export class Postgres {
  /**
   * @param {Stage} stage
   * @param {string} url
   */
  constructor(stage, url) {
    this.stage = stage;
    this.url = url;
  }

  /** @param {Stage} stage */
  static async start(stage) {
    const dataDir = join(await stage.folderFor('postgres'), 'cluster');
    const server = await startEmbeddedPostgres({ dataDir, log: () => undefined, settings: SETTINGS });
    stage.defer(() => server.stop());
    return new Postgres(stage, server.url);
  }

  /** A new empty database; dropped by `drop`. */
  async database() {
    const name = `bench_${randomBytes(6).toString('hex')}`;
    await this.#asAdmin(`CREATE DATABASE ${name}`);
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return await Database.open(this, name, url.href);
  }

  /** @param {string} name */
  async drop(name) {
    await this.#asAdmin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  /** @param {string} statement */
  async #asAdmin(statement) {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    await client.query(statement);
    await client.end();
  }
}

/** One database, seen by whoever measures, over a connection of its own. */
export class Database {
  /**
   * @param {Postgres} server
   * @param {string} name
   * @param {string} url
   * @param {Client} client
   */
  constructor(server, name, url, client) {
    this.server = server;
    this.name = name;
    this.url = url;
    this.client = client;
  }

  /**
   * @param {Postgres} server
   * @param {string} name
   * @param {string} url
   */
  static async open(server, name, url) {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    return new Database(server, name, url, client);
  }

  /**
   * @template {Record<string, unknown>} Row
   * @param {string} text
   * @param {unknown[]} [values]
   * @returns {Promise<Row[]>}
   */
  async rows(text, values = []) {
    const { rows } = await this.client.query(text, values);
    return rows;
  }

  /**
   * The first row.
   * @template {Record<string, unknown>} Row
   * @param {string} text
   * @param {unknown[]} [values]
   * @returns {Promise<Row>}
   */
  async row(text, values = []) {
    const [row] = await this.rows(text, values);
    if (row === undefined) throw new Error(`no row: ${text}`);
    return /** @type {Row} */ (row);
  }

  /** Statistics up to date and nothing left to write, so that one round does not pay for the one before it. */
  async settle() {
    await this.client.query('VACUUM ANALYZE');
    await this.client.query('CHECKPOINT');
  }

  /** Bytes of WAL that the server has written so far. */
  async walBytes() {
    const { bytes } = await this.row(`SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS bytes`);
    return Number(bytes);
  }

  async drop() {
    await this.client.end();
    await this.server.drop(this.name);
  }
}
