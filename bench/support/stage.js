import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STOP_MS = 20_000;

/**
 * What a measurement started and wrote. Everything is stopped again, last started first, however the measurement ends;
 * after Ctrl-C too.
 */
export class Stage {
  /** @type {(() => unknown)[]} */
  #stops = [];

  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /** @param {() => unknown} stop */
  defer(stop) {
    this.#stops.push(stop);
  }

  /** A folder of its own for one part. @param {string} name */
  async folderFor(name) {
    const folder = await mkdtemp(join(this.folder, `${name}-`));
    // Root's PostgreSQL and nginx's workers run as another user, who must get through.
    await chmod(folder, 0o755);
    return folder;
  }

  /**
   * Runs a program until it ends or the stage closes.
   * @param {string} program
   * @param {readonly string[]} args
   * @param {import('node:child_process').SpawnOptions} options
   */
  async spawn(program, args, options) {
    const child = spawn(program, args, options);
    await once(child, 'spawn');
    this.defer(() => endChild(child));
    return child;
  }

  async close() {
    for (const stop of this.#stops.splice(0).toReversed()) {
      try {
        await stop();
      } catch (error) {
        process.stderr.write(`while stopping: ${String(error)}\n`);
      }
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Ends a child and resolves with its exit code once it is gone; at once when it is gone already.
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
export async function endChild(child, signal = 'SIGTERM') {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(force);
  }
  return child.exitCode;
}

/** The stages that are open, the outermost first. @type {Set<Stage>} */
const open = new Set();

/** Never resolves: the process ends with it. @type {Promise<void> | null} */
let interruption = null;

function interrupt() {
  interruption ??= closeAll();
}

async function closeAll() {
  for (const stage of [...open].toReversed()) await stage.close();
  process.exit(130);
}

/**
 * Gives `use` a stage and closes it afterwards. Stages may be nested.
 * @template T
 * @param {(stage: Stage) => Promise<T>} use
 */
export async function onStage(use) {
  const folder = await mkdtemp(join(tmpdir(), 'message-dispatcher-bench-'));
  await chmod(folder, 0o755);
  const stage = new Stage(folder);
  if (open.size === 0) {
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
  }
  open.add(stage);
  try {
    return await use(stage);
  } finally {
    // What fails because its services are being stopped is no failure to report.
    if (interruption !== null) await interruption;
    await stage.close();
    open.delete(stage);
    if (open.size === 0) {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    }
  }
}
