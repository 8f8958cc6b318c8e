import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFile } from '@swc/core';

let folder: string;
const children: ChildProcess[] = [];

// Standard output is a process's own, so each case is one: the class as it is, and a few lines that use it.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'line-output-'));
  for (const name of ['line-output', 'described-error', 'postgres-error', 'mask-secrets']) {
    const { code } = await transformFile(`src/${name}.ts`, {
      jsc: { target: 'es2023', parser: { syntax: 'typescript', decorators: true } },
    });
    await writeFile(join(folder, `${name}.js`), code);
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

const PRELUDE = `
  import { missingLines, standardOutput } from './line-output.js';
  const { output } = standardOutput();
  const say = (level, text) => { output.lastLevel = level; output.write(text + '\\n'); };
  output.onRecovered = ({ lines, warnings }) => {
    if (missingLines() !== null) throw new Error('told for too long');
    say(40, 'missing ' + lines + ' ' + warnings);
  };
  process.on('message', () => process.exit(0));
  const filler = ' '.repeat(100);
`;

/** Runs `script`, which tells over IPC when it is through; `stdout` is a pipe that nobody reads unless it is a file. */
async function run(name: string, script: string, stdout: 'pipe' | number): Promise<ChildProcess> {
  await writeFile(join(folder, `${name}.js`), `${PRELUDE}${script}\nprocess.send('through');`);
  const child = spawn(process.execPath, [`${name}.js`], { cwd: folder, stdio: ['ignore', stdout, 'pipe', 'ipc'] });
  children.push(child);
  const ended = new AbortController();
  child.once('exit', () => ended.abort(new Error(`${name} ended before it was through`)));
  await once(child, 'message', { signal: ended.signal });
  return child;
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += String(chunk);
  return text;
}

describe('the lines of a process', () => {
  it('wait for a reader that stalls, the important ones longest, and those that are missing are counted when it is back', async () => {
    const script = `
      for (let n = 0; n < 10_000; n += 1) say(30, 'info ' + n + filler);
      for (let n = 0; n < 3_000; n += 1) say(50, 'error ' + n + filler);
      for (let n = 0; n < 10_000; n += 1) say(50, 'late ' + n + filler);
      const { lines, warnings, since } = missingLines();
      if (!(lines > warnings && warnings > 0 && since <= new Date())) throw new Error('told wrongly');`;
    const child = await run('stalled', script, 'pipe');
    let text = '';
    const recovered = new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('missing')) resolve();
      });
    });
    await recovered;
    child.send('end');
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => line.trim());
    const numbered = (word: string) =>
      lines.filter((line) => line.startsWith(word)).map((line) => Number(line.split(' ')[1]));
    const [infos, errors, late] = ['info', 'error', 'late'].map(numbered);
    // Those that were kept are the first of their kind, whole and in their order.
    for (const found of [infos, errors, late]) expect(found).toEqual(found?.map((_, index) => index));
    expect(infos?.length).toBeLessThan(10_000);
    expect(errors).toHaveLength(3_000);
    expect(late?.length).toBeLessThan(10_000);
    const missingErrors = 10_000 - (late?.length ?? 0);
    const missing = 10_000 - (infos?.length ?? 0) + missingErrors;
    expect(lines.filter((line) => line.startsWith('missing'))).toEqual([`missing ${missing} ${missingErrors}`]);
  });

  it('keep no process from ending while nobody reads them', async () => {
    const child = await run('never-read', `for (let n = 0; n < 10_000; n += 1) say(30, n + filler);`, 'pipe');
    child.send('end');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
  });

  it('end nothing on a full disk, which is told once on standard error', async () => {
    const full = openSync('/dev/full', 'w');
    const child = await run('full', `say(30, 'a'); say(60, 'b');`, full);
    closeSync(full);
    const complaints = textOf(child.stderr);
    child.send('end');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
    expect((await complaints).match(/cannot be written \(ENOSPC\)/g)).toHaveLength(1);
  });

  it('end nothing when their reader is gone', async () => {
    const child = await run('gone', `process.channel.ref(); setInterval(() => say(30, 'still here'), 5);`, 'pipe');
    child.stdout?.destroy();
    const complaint = textOf(child.stderr);
    await once(child.stderr ?? child, 'data');
    child.send('end');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
    expect(await complaint).not.toContain('    at ');
  });
});
