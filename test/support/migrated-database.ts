import { createDataSource, type ServiceDataSource } from '../../src/data-source.js';
import { TestDatabase } from './test-database.js';

export interface MigratedDatabase {
  readonly database: TestDatabase;
  /** The service's own way to it. */
  readonly dataSource: ServiceDataSource;
  drop(): Promise<void>;
}

/**
 * A database of a test's own that has the service's schema, for a test of what works on it without the service; in the test
 * run's PostgreSQL, or in another one.
 */
export async function createMigratedDatabase(server?: string, options?: string): Promise<MigratedDatabase> {
  const database = await TestDatabase.create(server, options);
  const dataSource = createDataSource(database.url);
  await dataSource.initialize();
  await dataSource.runMigrations();
  return {
    database,
    dataSource,
    async drop() {
      await dataSource.destroy();
      await database.drop();
    },
  };
}
