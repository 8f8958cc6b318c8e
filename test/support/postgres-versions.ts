import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const DEBIAN = '/usr/lib/postgresql';

/** PostgreSQL as it comes with the service, and those that Debian has installed besides. */
export const POSTGRES_VERSIONS = [undefined, ...(existsSync(DEBIAN) ? readdirSync(DEBIAN) : [])];

/** Where the programs of a version are; undefined: those that come with the service. */
export function programsOf(version: string | undefined): string | undefined {
  return version && join(DEBIAN, version, 'bin');
}
