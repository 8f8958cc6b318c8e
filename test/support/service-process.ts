import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFile } from '@swc/core';
import { z } from 'zod';

const ENTRY = `
import { startEmbeddedPostgres } from './src/local/embedded-postgres.js';
const postgres = await startEmbeddedPostgres({ dataDir: process.argv[2], log: () => undefined });
process.stdout.write(JSON.stringify({ url: postgres.url, created: postgres.created }) + '\\n');
process.stdin.on('end', () => postgres.stop().then(() => process.exit(0))).resume();
`;

/** What `src/local` imports from the root of the sources. */
const SHARED = ['src/startup-error.ts', 'src/described-error.ts', 'src/postgres-error.ts', 'src/mask-secrets.ts'];

const Report = z.object({ url: z.string(), created: z.boolean() });

/** Puts a program into `folder` that brings up the local PostgreSQL from the sources as they are now, without a build. */
export async function writePostgresProgram(folder: string): Promise<string> {
  const root = process.cwd();
  await mkdir(join(folder, 'src/local'), { recursive: true });
  const local = (await readdir(join(root, 'src/local'))).filter((name) => /^[^.]+\.ts$/.test(name));
  for (const source of [...SHARED, ...local.map((name) => `src/local/${name}`)]) {
    const { code } = await transformFile(join(root, source), {
      jsc: { target: 'es2023', parser: { syntax: 'typescript', decorators: true } },
      module: { type: 'es6' },
      swcrc: false,
    });
    await writeFile(join(folder, source.replace(/ts$/, 'js')), code);
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'main.js'), ENTRY);
  return join(folder, 'main.js');
}

/** Another instance of the service as far as its PostgreSQL goes: a process of its own, in a process group of its own. */
export class ServiceProcess {
  private constructor(readonly child: ChildProcess) {}

  static spawn(program: string, dataDir: string): ServiceProcess {
    return new ServiceProcess(
      spawn(process.execPath, [program, dataDir], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] }),
    );
  }

  /** Resolves once its PostgreSQL is up. */
  async ready(): Promise<z.infer<typeof Report>> {
    if (this.child.stdout === null) throw new Error('the process has no standard output');
    for await (const line of createInterface({ input: this.child.stdout })) return Report.parse(JSON.parse(line));
    throw new Error(`the process ended with ${this.child.exitCode} before its PostgreSQL was up`);
  }

  /** As a shell stops it; resolves when it has ended. */
  async stop(): Promise<void> {
    await this.ended(() => this.child.stdin?.end());
  }

  /** To the process, or like Ctrl-C to its whole group; resolves when it has ended. */
  async signal(signal: NodeJS.Signals, to: 'process' | 'group' = 'process'): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) throw new Error('the process never started');
    await this.ended(() => process.kill(to === 'group' ? -pid : pid, signal));
  }

  private async ended(act: () => void): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    act();
    await exit;
  }
}
