import { StartupError } from '../startup-error.js';

const FAULTS: readonly (readonly [RegExp, string])[] = [
  [/ENOSPC|no space left|EDQUOT|quota exceeded/i, 'there is no disk space left: free some, or set APP_DB_URL'],
  [
    /EACCES|EPERM|EROFS|permission denied|operation not permitted|read-only file system|ENOENT.*mkdir/i,
    'the folder cannot be written by this user: mend its owner or mode, start the service in another folder, or set APP_DB_URL',
  ],
  [
    /incompatible with server/i,
    'it was made by another major version of PostgreSQL: go back to the earlier release of the service, or move the folder away to begin with an empty database',
  ],
  [
    /could not look up effective user ID/i,
    'PostgreSQL needs a user that has a name: add one for this uid to /etc/passwd, run the service as another user, or set APP_DB_URL',
  ],
  [
    /password authentication failed/i,
    'the password file in the folder is not the one of this database: restore it, or delete the folder to begin with an empty database',
  ],
  [/ENOTDIR|EEXIST/, 'a file is in the way: move it away, or start the service in another folder'],
];

/** One line that names the folder, what went wrong and the remedy. */
export function asStartupError(error: unknown, dataDir: string): StartupError {
  if (error instanceof StartupError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).trim();
  const remedy =
    FAULTS.find(([pattern]) => pattern.test(reason))?.[1] ?? 'see server.log in that folder, or set APP_DB_URL';
  return new StartupError(`The local PostgreSQL in ${dataDir} could not be started: ${remedy}. (${reason})`, {
    cause: error,
  });
}
