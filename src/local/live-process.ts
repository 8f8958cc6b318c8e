import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A process that is running now. `startedAt` tells it from a later one that was given the same pid. */
export interface LiveProcess {
  readonly startedAt: string;
  readonly command: string;
}

/** What runs under `pid`, or null when nothing does. A zombie counts as nothing: it holds no file and no port. */
export function liveProcess(pid: number): Promise<LiveProcess | null> {
  const look = { linux: fromProc, win32: fromTasklist }[process.platform as string] ?? fromPs;
  return look(pid).catch(() => null);
}

async function fromProc(pid: number): Promise<LiveProcess | null> {
  const [stat, cmdline, boot] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
  ]);
  // The second field is the program's name in brackets and may hold blanks; proc(5) numbers state 3, starttime 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return { startedAt: `${boot.trim()}/${fields[19]}`, command: cmdline.split('\0').join(' ') };
}

async function fromPs(pid: number): Promise<LiveProcess | null> {
  const { stdout } = await run('ps', ['-ww', '-o', 'stat=,lstart=,command=', '-p', String(pid)], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const found = /^\s*(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/m.exec(stdout);
  if (!found?.[1] || !found[2] || found[1].startsWith('Z')) return null;
  return { startedAt: found[2], command: `${found[3]} ` };
}

async function fromTasklist(pid: number): Promise<LiveProcess | null> {
  const { stdout } = await run('tasklist', ['/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH'], { windowsHide: true });
  const name = /^"([^"]+)"/m.exec(stdout)?.[1];
  return name === undefined ? null : { startedAt: '', command: name };
}
