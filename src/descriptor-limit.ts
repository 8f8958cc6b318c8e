import { readFileSync } from 'node:fs';

/** Node loads modules side by side, and takes a file that it cannot open for one that is not there. */
const LOADING_NEEDS = 1_024;

/** How many files and connections this process may have open; null where the system does not tell. */
export function descriptorLimit(): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** For whoever starts the service: why a module could not be loaded, if that is for want of descriptors; else null. */
export function descriptorFault(error: unknown, limit: number | null): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (limit === null || limit >= LOADING_NEEDS || (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'EMFILE')) return null;
  return (
    `The service cannot be loaded: this process may have ${limit} files open (ulimit -n), and loading needs up to ` +
    `${LOADING_NEEDS}. Raise the limit: LimitNOFILE= in systemd, --ulimit nofile= in Docker, ulimit -n in a shell.`
  );
}
