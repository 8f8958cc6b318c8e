import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { StartupError } from '../startup-error.js';
import { countUsers, registerUser, withLock } from './claim-file.js';
import { freePort } from './free-port.js';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import { claimDataDir, ensureCluster, readPassword } from './postgres-cluster.js';
import { asStartupError } from './postgres-faults.js';
import { PostgresKeeper } from './postgres-keeper.js';
import { PostgresDidNotStart, runningServer, settledServer, startServer, stopServer } from './postgres-server.js';
import { type Launcher, launcherFor } from './run-as.js';

/** Longer than another instance needs to make the database, or to recover it after a crash. */
const START_LOCK_MS = 150_000;
/** This and FAST_SHUTDOWN_MS together stay well within the 15 s that the service may take to stop. */
const STOP_LOCK_MS = 3_000;
const FAST_SHUTDOWN_MS = 6_000;
/** How long a start is tried anew while something passing is in its way. */
const RETRY_MS = 10_000;
/** The port was taken since it was looked at; or children of a killed server still live, for a second or two. */
const PASSING = /could not bind|could not create any TCP|still in use/i;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '32MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'fatal',
  log_checkpoints: 'off',
} as const;

export interface EmbeddedPostgresOptions {
  /** A folder of this service alone, or one that does not exist yet. Everything, the password included, lives in it. */
  readonly dataDir: string;
  readonly log: (line: string) => void;
  /** Server settings over the built-in ones, by their PostgreSQL names; used if this call starts the server. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** Holds the password: not for a log. */
  readonly url: string;
  /** True when this call made the database, which is then empty. */
  readonly created: boolean;
  /** From now until `stop`, a server that ends is started again on the same port. */
  keep(): void;
  /** Resolves within 15 s, when the server is gone, or still serves another live instance. May be called again. */
  stop(): Promise<void>;
}

/**
 * A real PostgreSQL on 127.0.0.1 whose data survives in `dataDir`, ready for connections.
 * A server that a killed instance left running is taken over; one that another live instance uses is shared, and whoever
 * stops last stops it. What was committed survives `kill -9` of anything at any time.
 * @throws StartupError whose message names the folder and the remedy.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    const binaries = await findPostgresBinaries();
    await claimDataDir(options.dataDir);
    const dataDir = await realpath(options.dataDir);
    return await withLock(lockOf(dataDir), START_LOCK_MS, () => openDatabase(binaries, dataDir, options));
  } catch (error) {
    throw asStartupError(error, options.dataDir);
  }
}

const lockOf = (dataDir: string): string => join(dataDir, 'lock');
const usersOf = (dataDir: string): string => join(dataDir, 'users');
const pgDataOf = (dataDir: string): string => join(dataDir, 'data');

async function openDatabase(
  binaries: PostgresBinaries,
  dataDir: string,
  { log, settings }: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  await mkdir(usersOf(dataDir), { recursive: true });
  const others = await countUsers(usersOf(dataDir));
  const user = await registerUser(usersOf(dataDir));
  let stopping: Promise<void> | undefined;
  let keeper: PostgresKeeper | undefined;
  const stop = () =>
    (stopping ??= (async () => {
      await keeper?.close();
      await leaveInTurn(binaries, dataDir, user, log);
    })());
  try {
    let created = false;
    let port = (await settledServer(pgDataOf(dataDir)))?.port;
    if (port === undefined) {
      const launcher = await launcherFor(binaries.postgres, dataDir);
      created = await ensureCluster(binaries, launcher, dataDir);
      port = await start(binaries, launcher, dataDir, { ...SETTINGS, ...settings });
      log(`PostgreSQL runs on 127.0.0.1:${port}, its ${created ? 'new ' : ''}data is in ${dataDir}`);
    } else if (others > 0) {
      log(`PostgreSQL on 127.0.0.1:${port} is shared with another live instance of the service`);
    } else {
      log(`PostgreSQL on 127.0.0.1:${port} was left behind by a killed instance of the service and is taken over`);
    }
    const url = `postgres://postgres:${await readPassword(dataDir)}@127.0.0.1:${port}/postgres?sslmode=disable`;
    await checkLogin(url);
    const keep = () => {
      keeper ??= new PostgresKeeper({
        isRunning: async () => (await runningServer(pgDataOf(dataDir))) !== null,
        start: (signal) => startAgain(binaries, dataDir, { ...SETTINGS, ...settings }, { port, signal }),
        log,
      });
    };
    return { url, created, keep, stop };
  } catch (error) {
    await leave(binaries, dataDir, user, log);
    throw error;
  }
}

/** Unless another instance has done so meanwhile. */
async function startAgain(
  binaries: PostgresBinaries,
  dataDir: string,
  settings: Readonly<Record<string, string>>,
  again: { readonly port: number; readonly signal: AbortSignal },
): Promise<void> {
  await withLock(lockOf(dataDir), START_LOCK_MS, async () => {
    if (again.signal.aborted || (await settledServer(pgDataOf(dataDir))) !== null) return;
    await start(binaries, await launcherFor(binaries.postgres, dataDir), dataDir, settings, again);
  });
}

/** Starts the server on its former port if that is free, or on another one; `again`: on that port and no other. */
async function start(
  binaries: PostgresBinaries,
  launcher: Launcher,
  dataDir: string,
  settings: Readonly<Record<string, string>>,
  again?: { readonly port: number; readonly signal: AbortSignal },
): Promise<number> {
  const portFile = join(dataDir, 'port');
  const deadline = Date.now() + RETRY_MS;
  for (;;) {
    const port = again?.port ?? (await freePort(Number(await readFile(portFile, 'utf8').catch(() => '')) || 0));
    try {
      await startServer(binaries, launcher, pgDataOf(dataDir), port, settings, again?.signal);
      await writeFile(portFile, `${port}\n`);
      return port;
    } catch (error) {
      const isPassing = error instanceof PostgresDidNotStart && PASSING.test(error.message);
      if (!isPassing || Date.now() > deadline || again?.signal.aborted === true) throw error;
      await sleep(100);
    }
  }
}

async function checkLogin(connectionString: string): Promise<void> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
  } finally {
    await client.end();
  }
}

async function leaveInTurn(
  binaries: PostgresBinaries,
  dataDir: string,
  user: string,
  log: (line: string) => void,
): Promise<void> {
  try {
    await withLock(lockOf(dataDir), STOP_LOCK_MS, () => leave(binaries, dataDir, user, log));
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    await rm(user, { force: true });
    log('PostgreSQL keeps running: another instance of the service is starting with it');
  }
}

async function leave(
  binaries: PostgresBinaries,
  dataDir: string,
  user: string,
  log: (line: string) => void,
): Promise<void> {
  await rm(user, { force: true });
  if ((await countUsers(usersOf(dataDir))) > 0) {
    log('PostgreSQL keeps running: another live instance of the service uses it');
    return;
  }
  await stopServer(binaries, pgDataOf(dataDir), FAST_SHUTDOWN_MS);
}
