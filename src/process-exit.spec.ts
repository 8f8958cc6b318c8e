import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFile } from '@swc/core';

let folder: string;

// Signals and exit codes are a process's own, so each case is one: the class as it is, and a few lines that use it.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'process-exit-'));
  const { code } = await transformFile('src/process-exit.ts', {
    jsc: { target: 'es2023', parser: { syntax: 'typescript', decorators: true } },
  });
  await writeFile(join(folder, 'process-exit.mjs'), code);
});

afterAll(() => rm(folder, { recursive: true }));

const PRELUDE = `
  import { ProcessExit } from './process-exit.mjs';
  const say = (...words) => console.log(words.map((word) => word.err?.message ?? word).join(' '));
  const exit = new ProcessExit(600, 200);
  exit.install();
  const logger = { info: say, warn: say, error: say, fatal: say };
  exit.useLogger(logger);
  setInterval(() => {}, 1000);
`;

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs `script` until it ends; `act` is called once it has printed `ready`. */
async function run(name: string, script: string, act: (child: ChildProcess) => void): Promise<Ended> {
  await writeFile(join(folder, `${name}.mjs`), `${PRELUDE}${script}\nconsole.log('ready');`);
  const child = spawn(process.execPath, [`${name}.mjs`], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const wasReady = output.includes('ready');
    output += chunk.toString();
    if (!wasReady && output.includes('ready')) act(child);
  });
  await once(child, 'close');
  return { code: child.exitCode, output };
}

describe('ProcessExit', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'stops everything, the latest first, and exits with 0 on %s',
    async (signal) => {
      const script = `
      exit.add('first', async () => console.log('first stopped'));
      exit.add('second', async () => { throw new Error('second fails'); });
      exit.add('third', async () => console.log('third stopped'));`;
      const { code, output } = await run(`orderly-${signal}`, script, (child) => child.kill(signal));
      expect(code).toBe(0);
      expect(output).toMatch(/third stopped[^]*second fails[^]*first stopped[^]*Stopped/);
    },
  );

  it('exits with 1 at once on a second signal', async () => {
    const script = `
      exit.add('slow', () => new Promise(() => process.kill(process.pid, 'SIGINT')));`;
    const { code, output } = await run('twice', script, (child) => child.kill('SIGTERM'));
    expect(code).toBe(1);
    expect(output).toContain('SIGINT again');
  });

  it('takes the same signal within half a second, and a terminal that closes, for the same wish', async () => {
    const script = `
      exit.add('slow', async () => {
        process.kill(process.pid, 'SIGINT');
        process.kill(process.pid, 'SIGHUP');
        await new Promise((resolve) => setTimeout(resolve, 200));
        console.log('slow stopped');
      });`;
    const { code, output } = await run('echo', script, (child) => child.kill('SIGINT'));
    expect(code).toBe(0);
    expect(output).toMatch(/slow stopped[^]*Stopped/);
  });

  it('names what hangs, stops the others all the same, and exits with 0 when the time is up', async () => {
    const script = `
      exit.add('the first', async () => console.log('first stopped'));
      exit.add('the hanging one', () => new Promise(() => {}));`;
    const { code, output } = await run('hanging', script, (child) => child.kill('SIGTERM'));
    expect(code).toBe(0);
    expect(output).toMatch(
      /Stopping the hanging one took longer than (?:39\d|400) ms; still open: .*Timeout[^]*first stopped[^]*Stopped/,
    );
  });

  it('stops what is added while it is stopping, each once', async () => {
    const script = `
      const again = async () => console.log('late stopped');
      exit.add('first', async () => {
        console.log('first stopped');
        exit.add('late', again);
        await new Promise((resolve) => setTimeout(resolve, 20));
      });`;
    const { code, output } = await run('added', script, (child) => child.kill('SIGTERM'));
    expect(code).toBe(0);
    expect(output.match(/first stopped|late stopped/g)).toEqual(['first stopped', 'late stopped']);
  });

  it('tells what came before there was a logger as soon as there is one', async () => {
    const script = `
      const early = new ProcessExit();
      early.install();
      process.emit('unhandledRejection', new Error('early'));
      early.useLogger(logger);`;
    const { output } = await run('early', script, (child) => child.kill('SIGTERM'));
    expect(output.match(/early/g)).toHaveLength(2);
  });

  it.each([
    ['an exception', `throw new Error('cannot load this');`],
    ['a module that cannot be loaded', `await import('./no-such-module.mjs');`],
    ['a module that fails while it is loaded', `await Promise.reject(new Error('cannot load this'));`],
  ])('tells on standard error what ended it before there was a logger: %s', async (name, failing) => {
    const file = join(folder, `failing-${name.replaceAll(' ', '-')}.mjs`);
    await writeFile(
      file,
      `import { ProcessExit } from './process-exit.mjs';\nnew ProcessExit().install();\n${failing}\n`,
    );
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await once(child, 'close');
    expect(child.exitCode).toBe(1);
    expect(output).toMatch(/^fatal: .*(?:cannot load this|no-such-module)/);
  });

  it('does not open the inspector on SIGUSR1', async () => {
    const script = `
      import { url } from 'node:inspector';
      process.on('SIGUSR2', () => { console.log('inspector', url()); process.exit(0); });`;
    const { output } = await run('inspector', script, (child) => {
      child.kill('SIGUSR1');
      child.stdout?.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('SIGUSR1 is ignored')) child.kill('SIGUSR2');
      });
    });
    expect(output).toContain('inspector undefined');
  });

  it('ends with 1 after an exception that nobody caught, although the logger throws as well', async () => {
    const script = `
      exit.useLogger({ fatal: () => { throw new Error('no logger'); } });
      process.on('SIGUSR2', () => { throw new Error('nobody caught this'); });`;
    const { code } = await run('throwing', script, (child) => child.kill('SIGUSR2'));
    expect(code).toBe(1);
  });

  it('logs an exception that nobody caught and exits with 1', async () => {
    const script = `process.on('SIGUSR2', () => { throw new Error('nobody caught this'); });`;
    const { code, output } = await run('uncaught', script, (child) => child.kill('SIGUSR2'));
    expect(code).toBe(1);
    expect(output).toContain('nobody caught this');
  });

  it('logs a rejection that nobody handled, and goes on', async () => {
    const script = `
      process.on('SIGUSR2', () => {
        void Promise.reject(new Error('nobody handled this'));
        setImmediate(() => process.kill(process.pid, 'SIGTERM'));
      });`;
    const { code, output } = await run('unhandled', script, (child) => child.kill('SIGUSR2'));
    expect(code).toBe(0);
    expect(output).toMatch(/nobody handled this[^]*Stopped/);
  });
});
