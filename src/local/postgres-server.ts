import { execFile } from 'node:child_process';
import { open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { codeOf } from '../described-error.js';
import { liveProcess } from './live-process.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import type { Launcher } from './run-as.js';

const POLL_MS = 15;
/** Crash recovery replays at most max_wal_size (1 GB); a slow disk does that in well under two minutes. */
const READY_MS = 120_000;
const ABORT_MS = 2_000;
const MAX_LOG_BYTES = 1_048_576;
/** Above every pid that a system hands out (Linux stops at 4194304), so it is never that of a live process. */
const NOBODYS_PID = 2_147_483_646;

/** The server that runs on a data folder, as its postmaster.pid tells. `state` is `starting`, `ready`, `stopping` or still empty. */
export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  readonly state: string;
}

/** A server that ended instead of becoming ready; the message is its own last word. */
export class PostgresDidNotStart extends Error {
  override readonly name = 'PostgresDidNotStart';
}

/** The live server on `pgData`, or null; a postmaster.pid whose pid is dead, or now another program's, counts as none. */
export async function runningServer(pgData: string): Promise<RunningServer | null> {
  const text = await readFile(join(pgData, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return (await isServerOf(pgData, pid)) ? { pid, port: Number(lines[3]), state: lines[7] ?? '' } : null;
}

async function isServerOf(pgData: string, pid: number): Promise<boolean> {
  const { command } = (await liveProcess(pid)) ?? { command: '' };
  return process.platform === 'win32' ? command.startsWith('postgres') : command.includes(`postgres -D ${pgData} `);
}

/**
 * Starts the server on 127.0.0.1 and resolves with its pid once it takes connections; `signal` ends that early. It has a session of its own, so neither
 * Ctrl-C nor the end of this process reaches it.
 * The caller has made sure that no server runs on `pgData` (`runningServer`).
 * @throws PostgresDidNotStart
 */
export async function startServer(
  { postgres }: PostgresBinaries,
  launcher: Launcher,
  pgData: string,
  port: number,
  settings: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<number> {
  await disarmStalePid(pgData);
  const folder = dirname(pgData);
  const log = await open(join(folder, 'server.log'), 'a+');
  try {
    if ((await log.stat()).size > MAX_LOG_BYTES) await log.truncate();
    const logStart = (await log.stat()).size;
    const assignments = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = await launcher.launch(postgres, ['-D', pgData, '-p', String(port), ...assignments], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: serverEnv(),
    });
    child.unref();
    const deadline = Date.now() + READY_MS;
    while (child.exitCode === null && child.signalCode === null) {
      const server = await runningServer(pgData);
      if (server !== null && server.pid === child.pid && server.state === 'ready') return server.pid;
      if (signal?.aborted === true || Date.now() > deadline) {
        child.kill('SIGQUIT');
        if (signal?.aborted === true) throw new PostgresDidNotStart('the service ends');
        throw new PostgresDidNotStart(`it was not ready after ${READY_MS / 1000} s`);
      }
      await sleep(POLL_MS);
    }
    const written = Buffer.alloc(Math.min(MAX_LOG_BYTES, (await log.stat()).size - logStart));
    await log.read(written, 0, written.length, logStart);
    throw new PostgresDidNotStart(
      lastWord(written.toString()) || `it ended with ${child.signalCode ?? child.exitCode}`,
    );
  } finally {
    await log.close();
  }
}

/** What PostgreSQL programs get to see: nothing of the service's own settings and secrets. */
export function serverEnv(): NodeJS.ProcessEnv {
  const passed = ['PATH', 'SystemRoot', 'TEMP', 'TMP'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // macOS refuses to start a server whose locale is not set: looking it up there makes the process multi-threaded.
  return { ...Object.fromEntries(passed), LC_ALL: 'C', TZ: 'UTC' };
}

/**
 * PostgreSQL takes any live process under a stale pid for a server. The file itself stays, changed in that one line:
 * its shared memory key lets PostgreSQL see children of a killed server that still write.
 */
async function disarmStalePid(pgData: string): Promise<void> {
  const path = join(pgData, 'postmaster.pid');
  const text = await readFile(path, 'utf8').catch(() => '');
  if (/^\d+\n/.test(text)) await writeFile(path, text.replace(/^\d+/, String(NOBODYS_PID)));
}

function lastWord(log: string): string {
  const lines = log.split('\n').filter((line) => /\b(FATAL|PANIC|DETAIL|error while loading)\b/.test(line));
  return lines.map((line) => line.replace(/^.*?(FATAL|PANIC|DETAIL): +/, '')).join(' ');
}

/** The server on `pgData` once it is ready, or null once there is none: one that is just stopping is waited out. */
export async function settledServer(pgData: string): Promise<RunningServer | null> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const server = await runningServer(pgData);
    if (server === null || server.state === 'ready') return server;
    if (Date.now() > deadline) {
      throw new Error(
        `the server with pid ${server.pid} has been ${server.state} for ${READY_MS / 1000} s; stop it first`,
      );
    }
    await sleep(POLL_MS);
  }
}

/**
 * Ends the server on `pgData`, if there is one, by a fast shutdown: open transactions are rolled back, everything committed is
 * on disk. After `waitMs` it is aborted instead, which loses nothing committed either and makes the next start recover.
 */
export async function stopServer({ pgCtl }: PostgresBinaries, pgData: string, waitMs: number): Promise<void> {
  const server = await runningServer(pgData);
  if (server === null) return;
  if (process.platform === 'win32') {
    await promisify(execFile)(pgCtl, ['stop', '-D', pgData, '-m', 'fast', '-t', String(Math.ceil(waitMs / 1000))]);
    return;
  }
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signalProcess(server.pid, signal);
    const deadline = Date.now() + (signal === 'SIGINT' ? waitMs : ABORT_MS);
    while (Date.now() < deadline) {
      if (!(await isServerOf(pgData, server.pid))) return;
      await sleep(POLL_MS);
    }
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
