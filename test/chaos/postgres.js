// Imported from the copied build; the compiler must be told the types.
/* oxlint-disable typescript/no-unsafe-type-assertion */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Client } from 'pg';

/** @typedef {typeof import('../../src/local/embedded-postgres.js')} Embedded */
/** @typedef {typeof import('../../src/local/postgres-server.js')} Server */
/** @typedef {typeof import('../../src/local/postgres-binaries.js')} Binaries */
/** @typedef {typeof import('../../src/local/run-as.js')} RunAs */

/** As an operator runs it: what was committed is on the disk. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '64MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'fatal',
  fsync: 'on',
};

/** A PostgreSQL of the campaign's own that can be stopped and started again on the same port. */
export class Postgres {
  /**
   * @param {string} folder
   * @param {URL} url
   * @param {() => Promise<void>} startAgain
   * @param {() => Promise<{ pid: number } | null>} running
   * @param {() => Promise<void>} dispose
   */
  constructor(folder, url, startAgain, running, dispose) {
    this.folder = folder;
    this.url = url;
    this.startAgain = startAgain;
    this.running = running;
    this.dispose = dispose;
  }

  /**
   * @param {string} folder
   * @param {string} build whose way to run PostgreSQL is used
   */
  static async start(folder, build) {
    const local = join(build, 'dist/src/local');
    const [embedded, server, binaries, runAs] = await Promise.all([
      /** @type {Promise<Embedded>} */ (load(local, 'embedded-postgres.js')),
      /** @type {Promise<Server>} */ (load(local, 'postgres-server.js')),
      /** @type {Promise<Binaries>} */ (load(local, 'postgres-binaries.js')),
      /** @type {Promise<RunAs>} */ (load(local, 'run-as.js')),
    ]);
    const made = await embedded.startEmbeddedPostgres({ dataDir: folder, log: () => undefined, settings: SETTINGS });
    const programs = await binaries.findPostgresBinaries();
    const launcher = await runAs.launcherFor(programs.postgres, folder);
    const data = join(folder, 'data');
    const url = new URL(made.url);
    return new Postgres(
      folder,
      url,
      async () => void (await server.startServer(programs, launcher, data, Number(url.port), SETTINGS)),
      () => server.runningServer(data),
      () => made.stop(),
    );
  }

  /**
   * @param {string} name
   * @returns {Promise<string>} its URL
   */
  async createDatabase(name) {
    const client = new Client({ connectionString: this.url.href });
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /**
   * Stops the server, `fast` (clients are thrown out) or `immediate` (as a crash); resolves when it is gone.
   * @param {'fast' | 'immediate'} mode
   */
  async stop(mode) {
    const server = await this.running();
    if (server === null) return;
    process.kill(server.pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    while ((await this.running()) !== null) await sleep(20);
  }
}

/**
 * @param {string} folder
 * @param {string} file
 * @returns {Promise<unknown>}
 */
async function load(folder, file) {
  return await import(pathToFileURL(join(folder, file)).href);
}
