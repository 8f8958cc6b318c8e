import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartupError } from '../startup-error.js';
import { countUsers, registerUser, withLock } from './claim-file.js';

async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('claim files', () => {
  let folder: string;
  let lock: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'claims-'));
    lock = join(folder, 'lock');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('lets one caller in at a time', async () => {
    let inside = 0;
    const seen: number[] = [];
    const enter = () =>
      withLock(lock, 5_000, async () => {
        inside += 1;
        seen.push(inside);
        await new Promise(setImmediate);
        inside -= 1;
      });
    await Promise.all([enter(), enter(), enter()]);
    expect(seen).toEqual([1, 1, 1]);
  });

  it('is free again after the work has failed', async () => {
    await expect(withLock(lock, 0, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withLock(lock, 0, () => Promise.resolve('in'))).toBe('in');
  });

  it('gives up with a clear error while a live process holds the lock', async () => {
    const refused = withLock(lock, 5_000, () => withLock(lock, 50, () => Promise.resolve()));
    await expect(refused).rejects.toThrow(StartupError);
  });

  it('takes the lock of a process that has ended', async () => {
    await writeFile(lock, `${await endedPid()} whenever`);
    expect(await withLock(lock, 1_000, () => Promise.resolve('in'))).toBe('in');
  });

  it('takes the lock of a process whose pid was given to a later one', async () => {
    await writeFile(lock, `${process.pid} another start`);
    expect(await withLock(lock, 1_000, () => Promise.resolve('in'))).toBe('in');
  });

  it('waits for a lock that is just being written, and takes one that never was', async () => {
    await writeFile(lock, '');
    await expect(withLock(lock, 50, () => Promise.resolve())).rejects.toThrow(StartupError);
    await utimes(lock, new Date(0), new Date(0));
    expect(await withLock(lock, 1_000, () => Promise.resolve('in'))).toBe('in');
  });

  it('counts live users and forgets dead ones', async () => {
    await registerUser(folder);
    const mine = await registerUser(folder);
    await writeFile(join(folder, 'dead'), `${await endedPid()} whenever`);
    expect(await countUsers(folder)).toBe(2);
    expect(await readdir(folder)).toHaveLength(2);
    expect(await readFile(mine, 'utf8')).toContain(String(process.pid));
    await rm(mine);
    expect(await countUsers(folder)).toBe(1);
  });
});
