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
  const exit = new ProcessExit({ info: say, warn: say, error: say, fatal: say }, 300);
  exit.install();
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
  it.each(['SIGTERM', 'SIGINT'] as const)(
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

  it('names what hangs and exits with 0 when the time is up', async () => {
    const script = `exit.add('the hanging one', () => new Promise(() => {}));`;
    const { code, output } = await run('hanging', script, (child) => child.kill('SIGTERM'));
    expect(code).toBe(0);
    expect(output).toMatch(/Stopping the hanging one took longer than 300 ms; still open: .*Timeout/);
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
