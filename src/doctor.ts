import { loadStaticSettings } from './config/load-static-settings.js';
import { MIGRATIONS, primaryFinder } from './data-source.js';
import { FollowingClient } from './following-client.js';
import { createLogger } from './logging.js';
import { maskSecrets } from './mask-secrets.js';
import type { DatabaseFacts } from './preflight/database-facts.js';
import { lineOf, type Finding } from './preflight/finding.js';
import { judgeDeletion, LOOK_AT_DELETION, type DeletionFacts } from './preflight/judge-deletion.js';
import { judgeMigration, judgeService } from './preflight/judge-database.js';
import { lookAtDatabase } from './preflight/look-at-database.js';
import { reasonOf } from './reason-of.js';
import { asker } from './run-migrations.js';
import { logSettingsOf, reportStartupFailure } from './startup-failure.js';
import { StartupError } from './startup-error.js';

/** What the database may be changed by while it is looked at: nothing. */
const READ_ONLY_SESSION = `SET default_transaction_read_only = on; SET statement_timeout = 0; SET lock_timeout = '3s'`;

/**
 * `npm run doctor`: looks whether the database of APP_DB_URL can be migrated and used, and changes nothing.
 * Exit code 1 when something is in the way.
 */
async function examine(): Promise<void> {
  try {
    const settings = loadStaticSettings(process.env, { serve: false });
    const url = settings.dbDirectUrl ?? settings.dbUrl;
    if (url === null) throw new StartupError('APP_DB_URL is not set: give the URL of a PostgreSQL database');
    const logger = createLogger(settings);
    const { facts, deletion } = await lookOnce(url);
    const migrated = MIGRATIONS.every(({ name }) => facts.applied?.includes(name) === true);
    const findings: Finding[] = [
      ...(migrated ? [] : judgeMigration(facts)),
      ...judgeService(facts),
      ...deletion.flatMap(judgeDeletion),
    ];
    logger.info(sentenceOf(facts, migrated));
    for (const line of new Set(findings.filter(({ level }) => level === 'warning').map(lineOf))) logger.warn(line);
    const obstacles = new Set(findings.filter(({ level }) => level === 'obstacle').map(lineOf));
    for (const line of obstacles) logger.error(line);
    logger.info(obstacles.size === 0 ? 'nothing is in the way' : `${obstacles.size} obstacles; nothing was changed`);
    process.exitCode = obstacles.size === 0 ? 0 : 1;
  } catch (error) {
    reportStartupFailure(error, logSettingsOf(process.env));
    process.exitCode = 1;
  }
}

async function lookOnce(url: string): Promise<{ facts: DatabaseFacts; deletion: readonly DeletionFacts[] }> {
  const client = new FollowingClient({
    primary: primaryFinder(url),
    session: READ_ONLY_SESSION,
    application_name: 'message-dispatcher doctor',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const ask = asker(client);
    const facts = await lookAtDatabase(ask);
    return { facts, deletion: facts.table === null ? [] : await ask<DeletionFacts>(LOOK_AT_DELETION) };
  } catch (error) {
    throw new StartupError(`PostgreSQL at ${maskSecrets(url)} could not be examined: ${maskSecrets(reasonOf(error))}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function sentenceOf({ table, database, role, schema }: DatabaseFacts, migrated: boolean): string {
  if (table === null) {
    return `the database ${database} has no table messages that ${role} finds; it would be made in the schema ${schema ?? 'none'}`;
  }
  const rows = `about ${Math.round(table.estimatedRows).toLocaleString('en')} rows`;
  return `${table.name} in the database ${database} (${table.kind}, ${rows}), seen as ${role}, is ${migrated ? 'migrated' : 'to be migrated'}`;
}

void examine();
