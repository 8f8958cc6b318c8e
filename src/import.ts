import { loadStaticSettings } from './config/load-static-settings.js';
import { isDatabaseOutage } from './database-outage.js';
import { replyFor } from './error-mapping.js';
import { EXIT, importFile } from './import/import-command.js';
import { parseWish, USAGE } from './import/import-wish.js';
import { maskSecrets } from './mask-secrets.js';
import { StartupError } from './startup-error.js';

/** `npm run import -- file.csv`: stores a file of messages, going on where an earlier run was broken off. */
async function main(): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  try {
    const wish = parseWish(args);
    const { dbUrl, dbDirectUrl } = loadStaticSettings(process.env, { serve: false });
    const url = dbDirectUrl ?? dbUrl;
    if (url === null)
      throw new StartupError(
        'APP_DB_URL is not set: give the URL of the database to import into. The database that npm start brings up in local mode ' +
          'takes files over HTTP: POST /messages/import (README)',
      );
    const [say, complain] = [process.stdout, process.stderr].map(
      (out) => (line: string) => void out.write(`${line}\n`),
    );
    if (say && complain) process.exitCode = await importFile(wish, url, say, complain);
  } catch (error) {
    process.stderr.write(`${maskSecrets(reasonOf(error))}\n`);
    process.exitCode = EXIT.failed;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof StartupError) return error.message;
  if (isDatabaseOutage(error)) {
    return 'PostgreSQL is out of reach. What was committed stays; run the same command again and it goes on from there';
  }
  return (
    replyFor(error, 'POST')?.body.error ?? (error instanceof Error ? (error.stack ?? error.message) : String(error))
  );
}

void main();
