import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { eventually } from './support/eventually.js';
import { Receiver } from './support/receiver.js';

jest.setTimeout(60_000);

/** `npm start` by somebody with nothing but Node, in a fresh folder. */
class QuickStart {
  printed = '';
  readonly child: ChildProcess;

  constructor(folder: string, port: number) {
    this.child = spawn(process.execPath, [resolve('dist/src/main.js')], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], APP_PORT: `127.0.0.1:${port}` },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.printed += text));
    }
  }

  /** Waits until it has printed this; resolves with what matched. */
  async says(pattern: RegExp, withinMs = 10_000): Promise<string> {
    return await eventually(() => {
      const [found] = pattern.exec(this.printed) ?? [];
      if (found === undefined) throw new Error(`nothing printed like ${pattern}:\n${this.printed}`);
      return found;
    }, withinMs);
  }

  get origin(): string {
    return (/http:\/\/localhost:\d+/.exec(this.printed)?.[0] ?? '').replace('localhost', '127.0.0.1');
  }

  async messages(): Promise<{ content: string; state: string }[]> {
    return (await (await fetch(`${this.origin}/messages`)).json()) as { content: string; state: string }[];
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, 'close');
      this.child.kill(signal);
      await exit;
    }
    return this.child.exitCode;
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('the quick start', () => {
  let folder: string;
  const services: QuickStart[] = [];
  let receiver: Receiver | null = null;
  const start = (port = 0) => {
    const service = new QuickStart(folder, port);
    services.push(service);
    return service;
  };
  const postgresPid = async () =>
    Number((await readFile(join(folder, '.data/postgres/data/postmaster.pid'), 'utf8')).split('\n')[0]);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quick-start-'));
    await cp('config', join(folder, 'config'), { recursive: true });
  });
  afterEach(async () => {
    receiver?.letGo();
    for (const service of services.splice(0)) await service.end('SIGINT');
    await receiver?.stop();
    receiver = null;
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  });

  it('brings up everything, shows two deliveries within seconds and a curl that works, and Ctrl-C leaves nothing running', async () => {
    const first = start();
    await first.says(/Listening on/, 30_000);
    await first.says(/(?:sandbox received a message for \+\d\d•+\d\d[^]*){2}/);
    await first.says(/next (?:slot|job)/i);
    const curl = await first.says(/curl http.*/);
    const { stdout } = await promisify(execFile)('sh', ['-c', `${curl} -s`]);
    expect(JSON.parse(stdout)).toMatchObject({ content: 'Hello from curl', state: 'waiting' });
    const before = await first.messages();
    expect(before.filter(({ state }) => state === 'sent')).toHaveLength(2);
    expect(before.at(-1)?.content).toBe('Hello from curl');
    const pid = await postgresPid();
    expect(isAlive(pid)).toBe(true);

    expect(await first.end('SIGINT')).toBe(0);
    // It is gone from the table of processes when its parent has noticed.
    await eventually(() => expect(isAlive(pid)).toBe(false));

    const second = start();
    await second.says(/Listening on/, 30_000);
    expect(await second.messages()).toEqual(before);
    expect(await second.end('SIGINT')).toBe(0);
  });

  it('starts its PostgreSQL again when that was killed, and SIGTERM in mid-job leaves none running', async () => {
    const hook = await Receiver.start();
    receiver = hook;
    hook.behave = hook.hold;
    const live = { webhook_url: hook.url, scheduler_interval: 1, rate_limit: 1 };
    await writeFile(join(folder, 'config/dynamic_config.yaml'), stringify(live));
    const service = start();
    await service.says(/Listening on/, 30_000);
    await eventually(() => expect(hook.ledger).toHaveLength(1));
    const killed = await postgresPid();
    process.kill(killed, 'SIGKILL');
    hook.letGo();
    await service.says(/PostgreSQL has ended, though this service did not end it/);
    await service.says(/PostgreSQL runs again/, 20_000);
    await eventually(() => expect(hook.ledger.length).toBeGreaterThan(1), 30_000);
    expect(new Set(hook.ledger.map(({ content }) => content)).size).toBe(hook.ledger.length);
    const pid = await postgresPid();
    expect(pid).not.toBe(killed);

    // A request is in flight.
    const ending = service.end('SIGTERM');
    await service.says(/SIGTERM: finishing/);
    hook.letGo();
    const since = performance.now();
    expect(await ending).toBe(0);
    expect(performance.now() - since).toBeLessThan(8_000);
    expect(service.printed).not.toMatch(/took longer than/);
    await eventually(() => expect(isAlive(pid)).toBe(false));
  });

  it('says in one line which port is in use and what to do, with exit code 1, before it brings up anything', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const service = start(port);
    await once(service.child, 'close');
    expect(service.child.exitCode).toBe(1);
    expect(service.printed.trimEnd().split('\n')).toHaveLength(1);
    expect(service.printed).toMatch(new RegExp(`APP_PORT: port ${port} is in use`));
    expect(existsSync(join(folder, '.data'))).toBe(false);
    squatter.close();
  });
});
