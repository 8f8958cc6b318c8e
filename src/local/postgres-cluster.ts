import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../startup-error.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { serverEnv } from './postgres-server.js';
import type { Launcher } from './run-as.js';

const MARKER = 'made-by-message-dispatcher';
const MARKER_TEXT = `This folder holds the local database of the message dispatcher.
It may be deleted while the service is stopped; the next start then begins with an empty database.
`;

/**
 * Makes `dataDir` a folder of ours, or finds that it is one; anybody else's is left as it is.
 * @throws StartupError when it holds files and not our marker.
 */
export async function claimDataDir(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const names = await readdir(dataDir);
  if (!names.includes(MARKER)) {
    if (names.length > 0) {
      throw new StartupError(
        `${dataDir} is not empty and was not made by this service, so it stays untouched: move it away, or set APP_DB_URL.`,
      );
    }
    // Root's PostgreSQL runs as another user, who must get in; the data and the password have narrower modes of their own.
    await chmod(dataDir, process.getuid?.() === 0 ? 0o755 : 0o700);
    await writeFile(join(dataDir, MARKER), MARKER_TEXT);
  }
}

/** The password of the database in `dataDir`. */
export async function readPassword(dataDir: string): Promise<string> {
  const path = join(dataDir, 'password');
  const password = await readFile(path, 'utf8').catch(() => '');
  if (password !== '') return password;
  throw new StartupError(
    `${path} is missing, and without it the database beside it cannot be opened: restore it, or delete ${dataDir} to begin with an empty database.`,
  );
}

/**
 * Sees to it that `dataDir` has a database; true when it had to be made.
 * A crash at any point leaves either none or a complete one.
 */
export async function ensureCluster(binaries: PostgresBinaries, launcher: Launcher, dataDir: string): Promise<boolean> {
  const pgData = join(dataDir, 'data');
  if ((await stat(pgData).catch(() => null)) !== null) return false;
  for (const name of await readdir(dataDir)) {
    // An initdb whose starter was killed may still be writing there; then it goes next time.
    if (name.startsWith('init-'))
      await rm(join(dataDir, name), { recursive: true, force: true }).catch(() => undefined);
  }
  const draft = join(dataDir, `init-${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(draft, { mode: 0o700 });
    if (launcher.account !== null) await chown(draft, launcher.account.uid, launcher.account.gid);
    await writePassword(join(dataDir, 'password'), launcher);
    await initdb(binaries, launcher, dataDir, draft);
    await rename(draft, pgData);
    return true;
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

async function writePassword(path: string, { account }: Launcher): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(randomBytes(24).toString('base64url'));
    // On disk before the data that it opens.
    await file.sync();
    if (account !== null) await chown(path, account.uid, account.gid);
  } finally {
    await file.close();
  }
}

async function initdb(binaries: PostgresBinaries, launcher: Launcher, dataDir: string, draft: string): Promise<void> {
  const args = ['-D', draft, '--username=postgres', `--pwfile=${join(dataDir, 'password')}`, '--auth=scram-sha-256'];
  // The builtin locale sorts the same on every system, so the folder survives an upgrade of libc.
  args.push(
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  );
  const child = await launcher.launch(binaries.initdb, args, {
    cwd: dataDir,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: serverEnv(),
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-8_192)));
  await once(child, 'close');
  if (child.exitCode === 0) return;
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const faults = lines.filter((line) => /error|fatal|panic/i.test(line));
  const reason = (faults.length > 0 ? faults : lines).join(' ') || (child.signalCode ?? `exit code ${child.exitCode}`);
  throw new Error(`initdb: ${reason}`);
}
