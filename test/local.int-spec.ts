import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { withLock } from '../src/local/claim-file.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/local/embedded-postgres.js';
import { liveProcess } from '../src/local/live-process.js';
import { findPostgresBinaries } from '../src/local/postgres-binaries.js';
import { runningServer, stopServer } from '../src/local/postgres-server.js';
import { StartupError } from '../src/startup-error.js';
import { ServiceProcess, writePostgresProgram } from './support/service-process.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function until(condition: () => Promise<boolean>, what: string, waitMs = 15_000): Promise<void> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const isLate = Date.now() > deadline;
    if (await condition()) return;
    if (isLate) throw new Error(`after ${waitMs} ms still not: ${what}`);
    await sleep(10);
  }
}

// mkdtemp gives mode 0700: run as root, this also tests a folder that PostgreSQL's own user cannot enter.
describe('the local PostgreSQL', () => {
  let programs: string;
  let program: string;
  let folder: string;
  let dataDir: string;
  let pgData: string;
  let services: ServiceProcess[];
  let others: ChildProcess[];

  beforeAll(async () => {
    programs = await mkdtemp(join(tmpdir(), 'local-program-'));
    program = await writePostgresProgram(programs);
  });
  afterAll(() => rm(programs, { recursive: true }));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'local-postgres-'));
    dataDir = join(folder, '.data', 'postgres');
    pgData = join(dataDir, 'data');
    services = [];
    others = [];
  });
  afterEach(async () => {
    for (const service of services) await service.signal('SIGKILL');
    for (const other of others) other.kill('SIGKILL');
    await stopServer(await findPostgresBinaries(), pgData, 5_000);
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  });

  const start = (): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDir, log: () => undefined });
  const startElsewhere = (): ServiceProcess => {
    const service = ServiceProcess.spawn(program, dataDir);
    services.push(service);
    return service;
  };
  const serverPid = async (): Promise<number> => (await runningServer(pgData))?.pid ?? 0;

  const halfMade = async (): Promise<string[]> =>
    (await readdir(dataDir).catch(() => [])).filter((name) => name.startsWith('init-'));

  async function killEverything(service: ServiceProcess): Promise<void> {
    await service.signal('SIGKILL');
    const pid = await serverPid();
    process.kill(pid, 'SIGKILL');
    await until(async () => (await serverPid()) === 0, `server ${pid} killed`);
  }

  /** A process that PostgreSQL's user may signal, which is what makes PostgreSQL take its pid for that of a server. */
  async function foreignPid(): Promise<number> {
    const { uid, gid } = await stat(pgData);
    const identity = process.getuid?.() === 0 ? { uid, gid } : {};
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {
      ...identity,
      cwd: '/',
      stdio: 'ignore',
    });
    others.push(other);
    await once(other, 'spawn');
    return other.pid ?? 0;
  }

  it('makes a database of its own at the first start, in UTC and with a password that only its users can read', async () => {
    const postgres = await start();
    expect(postgres.created).toBe(true);
    expect(
      await query(postgres.url, "SELECT current_setting('TimeZone') AS zone, current_setting('fsync') AS fsync"),
    ).toEqual([{ zone: 'UTC', fsync: 'on' }]);
    expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600);
    await expect(query(postgres.url.replace(/:[^:@]+@/, ':guess@'), 'SELECT 1')).rejects.toMatchObject({
      code: '28P01',
    });
    await postgres.stop();
  });

  it('listens on 127.0.0.1 and nowhere else', async () => {
    const postgres = await start();
    const settings =
      "SELECT current_setting('listen_addresses') AS tcp, current_setting('unix_socket_directories') AS unix";
    expect(await query(postgres.url, settings)).toEqual([{ tcp: '127.0.0.1', unix: '' }]);
    await postgres.stop();
  });

  it('leaves no server behind when it stops', async () => {
    const postgres = await start();
    const pid = await serverPid();
    await postgres.stop();
    await postgres.stop();
    await until(async () => (await liveProcess(pid)) === null, `server ${pid} gone`, 5_000);
    await expect(query(postgres.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('stops although a connection holds a transaction open', async () => {
    const postgres = await start();
    const client = new Client({ connectionString: postgres.url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN; CREATE TABLE never (n int)');
    await postgres.stop();
    expect(await serverPid()).toBe(0);
  });

  it('keeps its data and its port across restarts', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    await first.stop();
    const second = await start();
    expect(second).toMatchObject({ created: false, url: first.url });
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await second.stop();
  });

  it('moves to another port when somebody else has taken its own', async () => {
    const first = await start();
    await first.stop();
    const port = Number(new URL(first.url).port);
    const squatter = createServer().listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    const second = await start();
    expect(new URL(second.url).port).not.toBe(String(port));
    await second.stop();
    squatter.close();
  });

  it('takes over the server that a killed instance left running, and stops it in the end', async () => {
    const service = startElsewhere();
    await service.ready();
    const orphan = await serverPid();
    await service.signal('SIGKILL');
    const postgres = await start();
    expect(await serverPid()).toBe(orphan);
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    await until(async () => (await liveProcess(orphan)) === null, `server ${orphan} gone`, 5_000);
  });

  it('is not reached by Ctrl-C in the terminal of the service', async () => {
    const service = startElsewhere();
    await service.ready();
    const pid = await serverPid();
    await service.signal('SIGINT', 'group');
    const postgres = await start();
    expect(await serverPid()).toBe(pid);
    await postgres.stop();
  });

  it('recovers what was committed when everything was killed at once', async () => {
    const service = startElsewhere();
    const { url } = await service.ready();
    await query(url, 'CREATE TABLE kept AS SELECT 7 AS n');
    await killEverything(service);
    const postgres = await start();
    expect(await query(postgres.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await postgres.stop();
  });

  it('starts although the pid of its killed server now belongs to another program, and leaves that alone', async () => {
    const service = startElsewhere();
    await service.ready();
    await killEverything(service);
    const pidFile = join(pgData, 'postmaster.pid');
    const foreign = await foreignPid();
    await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(/^\d+/, String(foreign)));
    const postgres = await start();
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    expect(process.kill(foreign, 0)).toBe(true);
  });

  it('shares the server of another live instance and leaves it running for that one', async () => {
    const service = startElsewhere();
    const { url } = await service.ready();
    const pid = await serverPid();
    const postgres = await start();
    expect(postgres).toMatchObject({ url, created: false });
    await postgres.stop();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await service.stop();
    await until(async () => (await liveProcess(pid)) === null, `server ${pid} gone`, 5_000);
  });

  it('keeps the server until the last instance stops, whoever started it', async () => {
    const service = startElsewhere();
    await service.ready();
    const postgres = await start();
    await service.stop();
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    expect(await serverPid()).toBe(0);
  });

  it('leaves the server to an instance that is just starting with it', async () => {
    const postgres = await start();
    await withLock(join(dataDir, 'lock'), 0, () => postgres.stop());
    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('makes one database when several instances start for the first time at once', async () => {
    const elsewhere = startElsewhere().ready();
    const here = await Promise.all([start(), start()]);
    const all = [...here, await elsewhere];
    expect(all.filter((postgres) => postgres.created)).toHaveLength(1);
    expect(new Set(all.map((postgres) => postgres.url)).size).toBe(1);
    for (const postgres of here) await postgres.stop();
  });

  it('begins anew after the making of the database was killed half-way', async () => {
    const service = startElsewhere();
    await until(async () => (await halfMade()).length > 0, 'the database is being made');
    await service.signal('SIGKILL');
    const postgres = await start();
    expect(postgres.created).toBe(true);
    await postgres.stop();
  });

  it('removes what a half-way database left behind', async () => {
    const first = await start();
    await first.stop();
    await rm(pgData, { recursive: true });
    await mkdir(join(dataDir, 'init-0123abcd'));
    await writeFile(join(dataDir, 'init-0123abcd', 'PG_VERSION'), '18\n');
    const second = await start();
    expect(second.created).toBe(true);
    expect(await halfMade()).toEqual([]);
    await second.stop();
  });

  it("refuses a folder with somebody else's files and leaves it as it was", async () => {
    await mkdir(dataDir, { recursive: true });
    await writeFile(join(dataDir, 'PG_VERSION'), '15\n');
    await expect(start()).rejects.toThrow(StartupError);
    await expect(start()).rejects.toThrow(dataDir);
    expect(await readdir(dataDir)).toEqual(['PG_VERSION']);
  });

  it('names the folder in one line when a file is in its place', async () => {
    await writeFile(join(folder, '.data'), '');
    await expect(start()).rejects.toThrow(StartupError);
    await expect(start()).rejects.toThrow(/^[^\n]*\.data\/postgres[^\n]*APP_DB_URL|another folder[^\n]*$/);
  });

  it('says what to do when the password is that of another database', async () => {
    const first = await start();
    await first.stop();
    await writeFile(join(dataDir, 'password'), 'guess');
    await expect(start()).rejects.toThrow(/password file .* restore it/);
    expect(await serverPid()).toBe(0);
  });

  it('says what to do when the password is gone, and starts no server for it', async () => {
    const first = await start();
    await first.stop();
    await rm(join(dataDir, 'password'));
    await expect(start()).rejects.toThrow(/password is missing.*restore it/);
    expect(await serverPid()).toBe(0);
  });

  it('names the remedy on a platform without a PostgreSQL of its own', async () => {
    await expect(findPostgresBinaries('sunos-sparc')).rejects.toThrow(/sunos-sparc.*APP_DB_URL/);
  });
});
