import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../described-error.js';
import { StartupError } from '../startup-error.js';
import { liveProcess } from './live-process.js';

const POLL_MS = 25;
/** A claim is written in one go right after its file is made: one that is still empty after this was never finished. */
const UNFINISHED_MS = 2_000;

async function claimText(): Promise<string> {
  return `${process.pid} ${(await liveProcess(process.pid))?.startedAt ?? ''}`;
}

async function isHeld(path: string, text: string): Promise<boolean> {
  if (text === '') return Date.now() - (await stat(path)).mtimeMs < UNFINISHED_MS;
  const [pid, ...startedAt] = text.split(' ');
  return (await liveProcess(Number(pid)))?.startedAt === startedAt.join(' ');
}

/** Adds this process to the live users of `folder`; the returned file stands for it until it is removed or the process dies. */
export async function registerUser(folder: string): Promise<string> {
  const path = join(folder, `${process.pid}-${randomBytes(4).toString('hex')}`);
  await writeFile(path, await claimText());
  return path;
}

/** How many live processes are registered in `folder`; what the dead left there is removed. */
export async function countUsers(folder: string): Promise<number> {
  let users = 0;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (await isHeld(path, await readFile(path, 'utf8'))) users += 1;
    else await rm(path, { force: true });
  }
  return users;
}

/**
 * Runs `work` while no other caller, in this or any other process, runs under the same `path`.
 * A holder that died, even by SIGKILL, blocks nobody.
 * @throws StartupError when a live holder kept it for longer than `waitMs`.
 */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + waitMs;
  while (!(await tryLock(path))) {
    if (Date.now() > deadline) {
      throw new StartupError(`${path} has been held by another live process for ${waitMs} ms: stop that one first.`);
    }
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(await claimText());
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    await breakIfAbandoned(path);
    return false;
  }
}

async function breakIfAbandoned(path: string): Promise<void> {
  try {
    const judged = await readFile(path, 'utf8');
    if (await isHeld(path, judged)) return;
    // Renamed, not removed: somebody else may have broken it and taken it in the meantime, and then it goes back.
    const aside = `${path}.${randomBytes(4).toString('hex')}`;
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) === judged) await rm(aside);
    else await rename(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
