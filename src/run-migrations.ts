import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WIDEN_ID } from '../migrations/1763900000002-widen-message-id.js';
import { MIGRATING_SESSION, migrationDataSource, MIGRATIONS, primaryOf } from './data-source.js';
import { codeOf } from './described-error.js';
import { FollowingClient } from './following-client.js';
import { LockHolders } from './lock-holders.js';
import { maskSecrets } from './mask-secrets.js';
import { lineOf, obstaclesText } from './preflight/finding.js';
import { judgeMigration } from './preflight/judge-database.js';
import { lookAtDatabase, type Ask } from './preflight/look-at-database.js';
import { takeOverMigrations } from './preflight/take-over-migrations.js';
import { reasonOf } from './reason-of.js';
import { StartupError } from './startup-error.js';

/** Any fixed number: replicas that start at once take turns on it. */
const MIGRATION_LOCK = 7_266_355_401;
const LOOK_AT_LOCK_MS = 250;
/** Between two tries to get a lock: time for everybody who queued up behind the last try. */
const RETRY_AFTER_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const MAX_TRIES = 40;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Runs pending migrations, one process at a time, after a look at everything that could be in their way. A lock that
 * somebody holds is tried for again and again, with pauses, for about ten minutes.
 * @throws StartupError that names every obstacle, in which case nothing was changed, or the first migration that failed.
 */
export async function runMigrations(url: string, { widenId }: { readonly widenId: boolean }): Promise<void> {
  const applicationName = `message-dispatcher migrating ${randomBytes(4).toString('hex')}`;
  const dataSource = migrationDataSource(url, applicationName);
  const watcher = new FollowingClient({
    primary: primaryOf(dataSource),
    session: MIGRATING_SESSION,
    application_name: 'message-dispatcher migrations',
  });
  watcher.on('error', () => undefined);
  const ask = asker(watcher);
  try {
    await watcher.connect();
    await takeTurn(ask);
    const workPending = await isWorkPending(ask, widenId);
    await takeOverMigrations(
      ask,
      MIGRATIONS.map(({ name }) => name),
    );
    if (!workPending) return;
    await dataSource.initialize();
    const holders = new LockHolders(ask, applicationName);
    const ran = await untilLocked(holders, async () => await dataSource.runMigrations());
    if (widenId) await untilLocked(holders, async () => void (await dataSource.query(`DO $$ ${WIDEN_ID} $$`)));
    if (ran.length > 0) new Logger('Database').log(`ran ${ran.length} migrations`);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const reason = maskSecrets(reasonOf(error));
    throw new StartupError(`the database schema could not be brought up to date: ${reason}`, { cause: error });
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
    await watcher.end().catch(() => undefined);
  }
}

/**
 * Waits for the other processes that migrate. Not by a statement that waits: an index that is built concurrently waits for
 * the end of every statement that is older than itself.
 */
async function takeTurn(ask: Ask): Promise<void> {
  for (let looks = 0; ; looks += 1) {
    const [turn] = await ask<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [MIGRATION_LOCK]);
    if (turn?.mine === true) return;
    if (looks === 4) new Logger('Database').log('another process migrates this database; waiting until it has ended');
    await sleep(LOOK_AT_LOCK_MS);
  }
}

/** @throws StartupError when there is work to do and an obstacle in its way. */
async function isWorkPending(ask: Ask, widenId: boolean): Promise<boolean> {
  const facts = await lookAtDatabase(ask);
  const id = facts.table?.columns.find(({ name }) => name === 'id');
  const toWiden = widenId && id?.base === 'integer';
  if (MIGRATIONS.every(({ name }) => facts.applied?.includes(name) === true) && !toWiden) return false;
  const findings = judgeMigration(facts, widenId);
  const obstacles = findings.filter(({ level }) => level === 'obstacle');
  if (obstacles.length > 0) {
    throw new StartupError(obstaclesText('The database cannot be migrated, and nothing was changed', obstacles));
  }
  const logger = new Logger('Database');
  for (const finding of findings) logger.warn(lineOf(finding));
  return true;
}

async function untilLocked<Result>(holders: LockHolders, act: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await holders.watch(act);
    } catch (error) {
      if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      if (tries === MAX_TRIES) {
        throw new StartupError(
          `The database was not migrated to the end: ${holders.last}. End that, and run it again; it goes on where it was`,
          { cause: error },
        );
      }
      const pauseMs = RETRY_AFTER_MS[Math.min(tries, RETRY_AFTER_MS.length) - 1] ?? 0;
      holders.sayOnce(`; nobody else waits for it meanwhile, and it is tried for again`);
      await sleep(pauseMs);
    }
  }
}

/** For a client of node-postgres. */
export function asker(client: Pick<FollowingClient, 'query'>): Ask {
  return async <Row extends object>(statement: string, values: readonly unknown[] = []) =>
    (await client.query<Row>(statement, [...values])).rows;
}
