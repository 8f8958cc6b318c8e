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

const LOOK_AGAIN_MS = 5_000;

/**
 * Whether the database has the schema that this version needs. Nothing touches the tables before it has; a schema that
 * arrives later, from a migration job, opens the gate by itself.
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
    while (!signal.aborted && !(await this.look())) {
      await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Looks once; says what it found when that is new. */
  private async look(): Promise<boolean> {
    const before = this.currentProblem;
    this.currentProblem = await this.missing().catch(() => before);
    if (this.currentProblem !== null && this.currentProblem !== before) this.logger.error(this.currentProblem);
    if (this.currentProblem === null && before !== null) this.logger.log('the schema is up to date');
    return this.currentProblem === null;
  }

  private async missing(): Promise<string | null> {
    const [table] = await this.dataSource.query<{ present: boolean }[]>(
      `SELECT to_regclass('migrations') IS NOT NULL AS present`,
    );
    const rows = table?.present ? await this.dataSource.query<{ name: string }[]>(`SELECT name FROM migrations`) : [];
    const applied = new Set(rows.map((row) => row.name));
    const pending = MIGRATIONS.filter((migration) => !applied.has(migration.name));
    if (pending.length === 0) return null;
    const state = applied.size === 0 ? 'missing' : 'old';
    return `the database schema is ${state} (${pending.length} migrations to run): run "npm run migrate"; nothing is sent until then`;
  }
}
