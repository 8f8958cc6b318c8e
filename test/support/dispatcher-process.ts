import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { eventually } from './eventually.js';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; throws when it is not JSON. */
  json<T = unknown>(): T;
}

export interface LogLine {
  readonly message: string;
  readonly 'log.level': string;
  readonly [field: string]: unknown;
}

export interface DispatcherOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What `dynamic_config.yaml` holds, by the names of its keys. */
  readonly live?: Readonly<Record<string, unknown>>;
  /** false: do not wait until it listens. */
  readonly listening?: boolean;
}

/** The built service as a process of its own, on a free port, with a configuration folder of its own. */
export class DispatcherProcess {
  readonly lines: LogLine[] = [];
  /** What was printed as it stands, standard error included. */
  readonly printed: string[] = [];
  private readonly exited: Promise<unknown>;

  private constructor(
    readonly child: ChildProcess,
    readonly configDir: string,
  ) {
    // Not `exit`, which may come before the last lines were read.
    this.exited = once(child, 'close');
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.take(line));
    }
  }

  static async start(options: DispatcherOptions = {}): Promise<DispatcherProcess> {
    const configDir = await mkdtemp(join(tmpdir(), 'dispatcher-config-'));
    await cp('config', configDir, { recursive: true });
    if (options.live) await writeFile(join(configDir, 'dynamic_config.yaml'), stringify(options.live));
    return await DispatcherProcess.restart(configDir, options);
  }

  /** Another process with the configuration folder of an earlier one, as it is now. */
  static async restart(configDir: string, options: DispatcherOptions = {}): Promise<DispatcherProcess> {
    const child = spawn(process.execPath, ['dist/src/main.js'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        APP_ENV: 'dev',
        APP_PORT: '127.0.0.1:0',
        LOG_ENV: 'production',
        APP_CONFIG_DIR: configDir,
        // Where the receivers of tests are.
        APP_WEBHOOK_ALLOW: '127.0.0.0/8,::1',
        ...options.env,
      },
    });
    const dispatcher = new DispatcherProcess(child, configDir);
    if (options.listening !== false) await dispatcher.listening();
    return dispatcher;
  }

  /** The address it listens on; throws before it does. */
  get origin(): string {
    const line = this.lines.find(({ message }) => message.startsWith('Listening on'));
    const origin = line && /https?:\/\/[^ ]+/.exec(line.message)?.[0];
    if (origin === undefined) throw new Error('it does not listen yet');
    return origin.replace('localhost', '127.0.0.1');
  }

  async listening(): Promise<void> {
    await eventually(() => {
      if (this.child.exitCode !== null)
        throw new Error(`it ended with ${this.child.exitCode}:\n${this.printed.join('\n')}`);
      return this.origin;
    }, 30_000);
  }

  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const response = await fetch(this.origin + path, {
      method,
      redirect: 'manual',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: <T>() => JSON.parse(text) as T };
  }

  async get(path: string): Promise<Reply> {
    return await this.request('GET', path);
  }

  async post(path: string, body?: unknown): Promise<Reply> {
    return await this.request('POST', path, body);
  }

  /** Replaces the watched file, as an editor does. */
  async setLive(live: Readonly<Record<string, unknown>>): Promise<void> {
    const path = join(this.configDir, 'dynamic_config.yaml');
    await writeFile(`${path}.new`, stringify(live));
    await rename(`${path}.new`, path);
  }

  /** Replaces the watched file and waits until what it says is in force. */
  async changeLive(live: Readonly<Record<string, unknown>>): Promise<void> {
    const version = async () => {
      const { sources } = (await this.get('/config')).json<{ sources: { name: string; version: string | null }[] }>();
      return sources.find(({ name }) => name === 'file')?.version;
    };
    const before = await version();
    await this.setLive(live);
    await eventually(async () => {
      if ((await version()) === before) throw new Error('the file has not been read yet');
    });
  }

  /** The lines of the log so far whose message matches. */
  said(pattern: RegExp): LogLine[] {
    return this.lines.filter(({ message }) => pattern.test(message));
  }

  /** Waits for a line of the log whose message matches. */
  async logged(pattern: RegExp, withinMs = 10_000): Promise<LogLine> {
    return await eventually(() => {
      const [line] = this.said(pattern);
      if (line === undefined) throw new Error(`nothing logged like ${pattern}:\n${this.printed.slice(-20).join('\n')}`);
      return line;
    }, withinMs);
  }

  /** Sends a signal; resolves with the exit code, or null when the signal itself ended the process. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return await this.exitCode();
  }

  /** Resolves with the exit code when the process ends by itself. */
  async exitCode(): Promise<number | null> {
    await this.exited;
    return this.child.exitCode;
  }

  /** Ends it for good, its configuration folder too. */
  async dispose(): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.configDir, { recursive: true, force: true });
  }

  private take(line: string): void {
    this.printed.push(line);
    try {
      this.lines.push(JSON.parse(line) as LogLine);
    } catch {
      // Not a line of the log; it stays in `printed`.
    }
  }
}
