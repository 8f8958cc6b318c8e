import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from './data-source.js';
import { isDatabaseOutage } from './database-outage.js';
import { maskSecrets } from './mask-secrets.js';
import type { DatabaseFacts } from './preflight/database-facts.js';
import { lineOf, obstaclesText, type Finding } from './preflight/finding.js';
import { judgeService } from './preflight/judge-database.js';
import { lookAtDatabase, type Ask } from './preflight/look-at-database.js';
import { MIGRATIONS_TABLE } from './preflight/table-contract.js';
import { reasonOf } from './reason-of.js';

const LOOK_AGAIN_MS = 5_000;
/** Problems that are told in fixed words and counts. */
const OWN_WORDS = /^the (?:schema has not|database schema is (?:missing|old) )/;

/**
 * Whether the database has the schema that this version needs, and lets this role use it. Nothing touches the tables before;
 * a schema that arrives later, from a migration job, or a right that is granted later, opens the gate by itself.
 */
@Injectable()
export class SchemaGate implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly logger = new Logger('SchemaGate');
  private readonly stopping = new AbortController();
  private opening: Promise<void> | null = null;
  private currentProblem: string | null = 'the schema has not been looked at yet';

  constructor(private readonly dataSource: DataSource) {}

  get ready(): boolean {
    return this.currentProblem === null;
  }

  /** What is missing and how to mend it; null when nothing is. */
  get problem(): string | null {
    return this.currentProblem;
  }

  /** What is missing and how to mend it, for a public probe: no names and no words of the database. null when nothing is missing. */
  get publicProblem(): string | null {
    if (this.currentProblem === null || OWN_WORDS.test(this.currentProblem)) return this.currentProblem;
    return 'The database cannot be used as it is, so nothing is sent: the log and "npm run doctor" say why';
  }

  /** Resolves when the schema is there, or when the process ends. */
  async whenReady(): Promise<void> {
    this.opening ??= this.waitForSchema();
    await this.opening;
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.look();
    this.opening ??= this.waitForSchema();
  }

  /** Before any other module's `beforeApplicationShutdown`, which may wait for somebody who waits here. */
  onModuleDestroy(): void {
    this.stopping.abort();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.opening;
  }

  private async waitForSchema(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted && !this.ready && !(await this.look())) {
      await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Looks once; says what it found when that is new. Somebody who cannot be asked at the moment changes nothing. */
  private async look(): Promise<boolean> {
    const before = this.currentProblem;
    this.currentProblem = await this.findProblem().catch((error: unknown) =>
      isDatabaseOutage(error)
        ? before
        : `the database schema could not be looked at (${maskSecrets(reasonOf(error))}); nothing is sent until it can be`,
    );
    if (this.currentProblem !== null && this.currentProblem !== before) this.logger.error(this.currentProblem);
    return this.currentProblem === null;
  }

  private async findProblem(): Promise<string | null> {
    const ask: Ask = async <Row extends object>(statement: string, values: readonly unknown[] = []) =>
      await this.dataSource.query<Row[]>(statement, [...values]);
    const facts = await lookAtDatabase(ask);
    if (facts.applied === null) {
      return `the role ${facts.role} may not read the table ${MIGRATIONS_TABLE}: grant it what docs/your-table.md lists; nothing is sent until then`;
    }
    const applied = new Set(facts.applied);
    const pending = MIGRATIONS.filter((migration) => !applied.has(migration.name));
    if (pending.length > 0) {
      const state = MIGRATIONS.length === pending.length ? 'missing' : 'old';
      return `the database schema is ${state} (${pending.length} migrations to run): run "npm run migrate"; nothing is sent until then`;
    }
    const findings = judgeService(facts);
    const obstacles = findings.filter(({ level }) => level === 'obstacle');
    if (obstacles.length > 0) {
      return obstaclesText('The schema is there and cannot be used, and nothing is sent', obstacles);
    }
    this.sayWhatIsUsed(facts, findings);
    return null;
  }

  private sayWhatIsUsed({ table, database, role }: DatabaseFacts, warnings: readonly Finding[]): void {
    this.logger.log(
      `the schema is up to date; the messages are those of ${table?.name ?? 'no table'} in the database ${database}, as ${role}`,
    );
    for (const finding of warnings) this.logger.warn(lineOf(finding));
  }
}
