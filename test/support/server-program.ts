import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A server that a test starts, breaks and starts again; it never outlives the test's own process. */
export abstract class ServerProgram {
  private child: ChildProcess | null = null;

  /** Resolves when the program runs, which is before it answers. */
  protected async run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
    const child = spawn(program, args, { stdio: 'ignore', env });
    this.own(child);
    await once(child, 'spawn');
  }

  /** Takes over a process that was started otherwise. */
  protected own(child: ChildProcess): void {
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    this.child = child;
  }

  /** At once and without a word, as `kill -9` does. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The connections stay open, and nothing answers on them until `resume`. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }
}
