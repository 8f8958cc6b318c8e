import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from './support/eventually.js';
import { serverPort } from './support/server-port.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

/** The built service whose standard output goes where it is told, so that it is known by its port alone. */
class SilentService {
  private constructor(
    readonly child: ChildProcess,
    readonly port: number,
    private readonly folder: string,
  ) {}

  static async start(stage: Stage, stdout: 'pipe' | number, env: Record<string, string> = {}): Promise<SilentService> {
    const folder = await mkdtemp(join(tmpdir(), 'dispatcher-config-'));
    await cp('config', folder, { recursive: true });
    await writeFile(join(folder, 'dynamic_config.yaml'), stringify(stage.live({ rate_limit: 1000 })));
    const port = await serverPort();
    const child = spawn(process.execPath, ['dist/src/main.js'], {
      stdio: ['ignore', stdout, stdout],
      env: {
        PATH: process.env['PATH'],
        APP_ENV: 'dev',
        APP_PORT: `127.0.0.1:${port}`,
        LOG_ENV: 'production',
        APP_CONFIG_DIR: folder,
        APP_WEBHOOK_ALLOW: '127.0.0.0/8',
        APP_DB_URL: stage.database.url,
        ...env,
      },
    });
    const service = new SilentService(child, port, folder);
    await eventually(() => service.get('/health'), 30_000);
    return service;
  }

  async get(path: string): Promise<number> {
    const { status } = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(5_000) });
    return status;
  }

  /** Its exit code after the signal. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
    return this.child.exitCode;
  }

  async dispose(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.end('SIGKILL');
    await rm(this.folder, { recursive: true });
  }
}

describe('output that cannot be written', () => {
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.set()));
  afterEach(() => stage.strike());

  it('stops neither the sending nor the API when its reader stalls, nor the end of the process', async () => {
    // A pipe that nobody reads, and more lines for it than it holds.
    const service = await SilentService.start(stage, 'pipe', { LOG_LEVEL: 'debug' });
    service.child.stdout?.pause();
    for (let calls = 0; calls < 500; calls += 1) expect(await service.get('/sent')).toBe(200);
    await stage.database.insertMessages(20);
    await eventually(async () => expect(await stage.sentCount()).toBe(20), 15_000);
    expect(await service.end('SIGTERM')).toBe(0);
    await service.dispose();
  });

  it('ends nothing when the disk is full, which is where the log goes', async () => {
    const full = openSync('/dev/full', 'w');
    const service = await SilentService.start(stage, full);
    closeSync(full);
    await stage.database.insertMessages(20);
    await eventually(async () => expect(await stage.sentCount()).toBe(20), 15_000);
    expect(await service.get('/health/ready')).toBe(200);
    expect(await service.end('SIGTERM')).toBe(0);
    await service.dispose();
  });
});

describe('a limit of descriptors that is too low to load the service', () => {
  it('is told in one line, with exit code 1', async () => {
    const child = spawn('sh', ['-c', `ulimit -n 64; exec "${process.execPath}" dist/src/main.js`], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], APP_ENV: 'dev', APP_PORT: '127.0.0.1:0' },
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await once(child, 'close');
    expect(child.exitCode).toBe(1);
    expect(printed.trimEnd().split('\n')).toEqual([expect.stringMatching(/may have 64 files open \(ulimit -n\)/)]);
  });
});

describe('a signal', () => {
  let stage: Stage;
  const sockets: Socket[] = [];
  beforeEach(async () => (stage = await Stage.set()));
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await stage.strike();
  });

  const silentConnection = async (port: number, text: string): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket.on('error', () => undefined));
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  };

  it('of a closing terminal ends the service like SIGTERM, and connections without a whole head do not keep it', async () => {
    const app = await stage.replica();
    const port = Number(new URL(app.origin).port);
    const heads = ['', 'GET /health HT', 'GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /hea'];
    const opened = await Promise.all(heads.map((text) => silentConnection(port, text)));
    const closed = opened.map((socket) => once(socket.resume(), 'close'));
    await app.get('/health');
    const since = performance.now();
    expect(await app.end('SIGHUP')).toBe(0);
    await Promise.all(closed);
    expect(performance.now() - since).toBeLessThan(3_000);
    expect(app.lines.filter((line) => line['log.level'] === 'error')).toEqual([]);
    expect(app.lines.at(-1)?.message).toBe('Stopped');
  });

  it('ends the process with 0 as soon as it can be caught, long before the service is there', async () => {
    const child = spawn(process.execPath, ['dist/src/main.js'], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], APP_ENV: 'dev', APP_PORT: '127.0.0.1:0', APP_DB_URL: stage.database.url },
    });
    await catches(child);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    expect(child.exitCode).toBe(0);
  });

  it('while PostgreSQL is brought up in local leaves none running', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dispatcher-local-'));
    await cp('config', join(folder, 'config'), { recursive: true });
    const child = spawn(process.execPath, [resolve('dist/src/main.js')], {
      cwd: folder,
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], APP_PORT: '127.0.0.1:0' },
    });
    const pidFile = join(folder, '.data/postgres/data/postmaster.pid');
    const postmaster = await eventually(async () => Number((await readFile(pidFile, 'utf8')).split('\n')[0]), 30_000);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    expect(child.exitCode).toBe(0);
    expect(() => process.kill(postmaster, 0)).toThrow('ESRCH');
    await rm(folder, { recursive: true });
  });
});

/** Resolves once a process listens to signals itself: SIGHUP is none that Node listens to by itself. */
async function catches({ pid }: ChildProcess): Promise<void> {
  const SIGHUP_BIT = 1n;
  await eventually(async () => {
    const caught = /^SigCgt:\s*([\da-f]+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
    expect(BigInt(`0x${caught}`) & SIGHUP_BIT).toBe(SIGHUP_BIT);
  }, 20_000);
}
