import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { findPostgresBinaries, type PostgresBinaries } from '../../src/local/postgres-binaries.js';
import { serverEnv } from '../../src/local/postgres-server.js';
import { launcherFor, type Launcher } from '../../src/local/run-as.js';
import { eventually } from './eventually.js';
import { serverPort } from './server-port.js';
import { SmallDisk } from './small-disk.js';

const READY_MS = 30_000;
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '30',
  autovacuum: 'off',
  // The tests kill servers, not the machine.
  fsync: 'off',
};

type Programs = Pick<PostgresBinaries, 'initdb' | 'postgres'>;

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGQUIT');
});

/** A real PostgreSQL of the test's own, which it may stop, break and bring back at the same address. */
export class PostgresServer {
  private child: ChildProcess | null = null;
  private disk: SmallDisk | null = null;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly launcher: Launcher,
    private settings: Readonly<Record<string, string>>,
    private readonly programs: Programs,
  ) {}

  /** Of another version than the one that comes with the service, when `binDir` has its programs. */
  static async started(settings: Readonly<Record<string, string>> = {}, binDir?: string): Promise<PostgresServer> {
    const programs =
      binDir === undefined
        ? await findPostgresBinaries()
        : { initdb: join(binDir, 'initdb'), postgres: join(binDir, 'postgres') };
    const server = await PostgresServer.prepared({ ...SETTINGS, ...settings }, programs);
    const { initdb } = programs;
    const args = ['-D', server.data, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--no-locale', '-N'];
    const child = await server.launcher.launch(initdb, args, {
      cwd: server.folder,
      stdio: 'ignore',
      env: serverEnv(),
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`initdb in ${server.folder} ended with ${code}`);
    await server.start();
    return server;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Puts what will be created from now on on a disk of its own, of so many bytes. */
  async moveToDisk(bytes: number): Promise<SmallDisk> {
    const folder = this.makeFolder('disk');
    this.disk = new SmallDisk(folder, bytes, this.launcher.account);
    await this.query(`CREATE TABLESPACE small LOCATION '${folder}'`);
    await this.query('ALTER SYSTEM SET default_tablespace = small');
    await this.query('SELECT pg_reload_conf()');
    return this.disk;
  }

  /** Starts it with the data that it has; resolves when it takes connections, after a crash therefore when it has recovered. */
  async start(): Promise<void> {
    const { postgres } = this.programs;
    const settings = Object.entries(this.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const log = openSync(join(this.folder, 'server.log'), 'a');
    const child = await this.launcher.launch(postgres, ['-D', this.data, '-p', String(this.port), ...settings], {
      cwd: this.folder,
      stdio: ['ignore', log, log],
      env: serverEnv(),
    });
    closeSync(log);
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    this.child = child;
    await eventually(() => {
      if (child.exitCode !== null) return;
      return this.query('SELECT 1');
    }, READY_MS);
    if (child.exitCode !== null) throw new Error(`PostgreSQL did not start: see server.log in ${this.folder}`);
  }

  /**
   * `fast` rolls back and writes everything down; `immediate` crashes, and the next start recovers; `killed` is `kill -9` of
   * the first process, which the others then follow.
   */
  async stop(how: 'fast' | 'immediate' | 'killed' = 'fast'): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(({ fast: 'SIGINT', immediate: 'SIGQUIT', killed: 'SIGKILL' } as const)[how]);
    await ended;
  }

  /** One statement over a connection of its own, which may write whatever the server's default is. */
  async query<Row extends QueryResultRow>(statement: string): Promise<Row[]> {
    const client = await this.connect();
    try {
      return (await client.query<Row>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  async connect(): Promise<Client> {
    const client = new Client({ connectionString: this.url, options: '-c default_transaction_read_only=off' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** Ends every connection of the service; says how many there were. */
  async cutAll(): Promise<number> {
    const rows = await this.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'message-dispatcher%'`,
    );
    return rows.length;
  }

  /** Whether new transactions may write, for everybody from now on. */
  async setReadOnly(readOnly: boolean): Promise<void> {
    await this.query(`ALTER SYSTEM SET default_transaction_read_only = ${readOnly ? 'on' : 'off'}`);
    await this.query('SELECT pg_reload_conf()');
  }

  /**
   * Another server that follows this one, to which every commit goes before it counts; for a moment this one is down.
   * `promote` makes it a server in its own right.
   */
  async followed(): Promise<PostgresServer> {
    const standby = await PostgresServer.prepared(this.settings, this.programs);
    await this.stop();
    await cp(this.data, standby.data, { recursive: true, preserveTimestamps: true });
    standby.own(standby.data, '-R');
    writeFileSync(join(standby.data, 'standby.signal'), '');
    const source = `host=127.0.0.1 port=${this.port} user=postgres application_name=standby`;
    standby.settings = { ...standby.settings, primary_conninfo: source };
    await Promise.all([this.start(), standby.start()]);
    await eventually(async () => {
      const [row] = await this.query<{ state: string }>('SELECT state FROM pg_stat_replication');
      if (row?.state !== 'streaming') throw new Error(`the standby is not following: ${row?.state}`);
    }, READY_MS);
    await this.query(`ALTER SYSTEM SET synchronous_standby_names = 'standby'`);
    await this.query('SELECT pg_reload_conf()');
    return standby;
  }

  async promote(): Promise<void> {
    await this.query('SELECT pg_promote()');
  }

  /** For good: nothing of it is left. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    this.disk?.remove();
    // The processes of one that was killed may still be ending.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20 });
  }

  private static async prepared(
    settings: Readonly<Record<string, string>>,
    programs: Programs,
  ): Promise<PostgresServer> {
    const { postgres } = programs;
    const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
    // Root's PostgreSQL runs as another user, who must get in.
    chmodSync(folder, 0o755);
    const server = new PostgresServer(
      folder,
      await serverPort(),
      await launcherFor(postgres, folder),
      settings,
      programs,
    );
    mkdirSync(server.data, { mode: 0o700 });
    server.own(server.data);
    return server;
  }

  private get data(): string {
    return join(this.folder, 'data');
  }

  private makeFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path);
    this.own(path);
    return path;
  }

  private own(path: string, ...flags: string[]): void {
    const { account } = this.launcher;
    if (account === null) return;
    if (flags.length === 0) chownSync(path, account.uid, account.gid);
    else execFileSync('chown', [...flags, `${account.uid}:${account.gid}`, path]);
  }
}
