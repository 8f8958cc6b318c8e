import { type ChildProcess, execFile, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '../described-error.js';
import { StartupError } from '../startup-error.js';

const REMEDY = 'run the service as an ordinary user, or set APP_DB_URL';
/** Bits of the Linux capability sets, from linux/capability.h. */
const CAPABILITIES = { dac_override: 1n, dac_read_search: 2n } as const;
type Capability = keyof typeof CAPABILITIES;
const READ = 0o4;
const EXECUTE = 0o1;

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Starts programs as the account that PostgreSQL runs as; PostgreSQL refuses to run as root. */
export interface Launcher {
  /** The account that must own the data; null: the one that this process runs as. */
  readonly account: Account | null;
  /** Resolves once the program runs. */
  launch(program: string, args: readonly string[], options: SpawnOptions): Promise<ChildProcess>;
}

/**
 * An ordinary user starts programs as itself. Root starts them as the owner of `dataDir`, or as `nobody` where that is root,
 * and where this account cannot reach `program` or `dataDir` (a clone below /root) with one capability that opens the way.
 * @throws StartupError when root has no such account, or may not open the way.
 */
export async function launcherFor(program: string, dataDir: string): Promise<Launcher> {
  if (process.getuid?.() !== 0) return { account: null, launch: (path, args, options) => start(path, args, options) };
  const account = await postgresAccount(dataDir);
  const missing = await missingCapability(account, program, dataDir);
  if (missing === null) {
    return { account, launch: (path, args, options) => start(path, args, { ...options, ...account }) };
  }
  const switches = [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'];
  // Without no_setuid_fixup the kernel answers access(2) for a non-root user as if it had no capability,
  // and PostgreSQL asks access(2) whether its own programs can be run.
  switches.push('--securebits=+no_setuid_fixup', `--inh-caps=+${missing}`, `--ambient-caps=+${missing}`);
  return { account, launch: (path, args, options) => start('setpriv', [...switches, path, ...args], options) };
}

async function start(program: string, args: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
  try {
    const child = spawn(program, args, { ...options, windowsHide: true });
    await once(child, 'spawn');
    return child;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'EPERM') {
      throw new StartupError(`PostgreSQL refuses to run as root and root may not switch user here: ${REMEDY}.`, {
        cause,
      });
    }
    if (code === 'ENOENT') {
      throw new StartupError(
        `${program} cannot be run on this system (it needs glibc, which Alpine has not, or is missing): set APP_DB_URL.`,
        { cause },
      );
    }
    throw cause;
  }
}

async function postgresAccount(dataDir: string): Promise<Account> {
  const owner = await stat(dataDir).catch(() => null);
  if (owner !== null && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  try {
    return { uid: await idOfNobody('-u'), gid: await idOfNobody('-g') };
  } catch (cause) {
    throw new StartupError(`PostgreSQL refuses to run as root and there is no user "nobody": ${REMEDY}.`, { cause });
  }
}

async function idOfNobody(flag: '-u' | '-g'): Promise<number> {
  const { stdout } = await promisify(execFile)('id', [flag, 'nobody']);
  // spawn() takes signed 32-bit ids; macOS calls nobody 4294967294.
  return Number(stdout) | 0;
}

async function missingCapability(account: Account, program: string, dataDir: string): Promise<Capability | null> {
  const runnable = await may(account, READ | EXECUTE, program);
  if (runnable && (await mayEnter(account, dirname(program))) && (await mayEnter(account, dataDir))) return null;
  const status = process.platform === 'linux' ? await readFile('/proc/self/status', 'utf8') : '';
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  // The narrower one first. It opens folders only: a program whose own mode shuts the account out needs the other.
  const wanted: readonly Capability[] = runnable ? ['dac_read_search', 'dac_override'] : ['dac_override'];
  const usable = wanted.find((name) => (held >> CAPABILITIES[name]) & 1n);
  if (usable !== undefined) return usable;
  throw new StartupError(
    `PostgreSQL refuses to run as root, and uid ${account.uid} cannot reach ${dirname(program)} and ${dataDir}: ${REMEDY}.`,
  );
}

/** Whether the account can pass through `folder` and all of its parents. */
async function mayEnter(account: Account, folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (!(await may(account, EXECUTE, at))) return false;
    if (at === dirname(at)) return true;
  }
}

/** Judged the way the kernel does: by the first class that fits the account. */
async function may(account: Account, wanted: number, path: string): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  return ((mode >> shift) & wanted) === wanted;
}
