import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The live settings that the replicas last agreed on, and where each came from: a process that cannot read its sources
 * works with them, and one that starts with older ones does not change what the others do. No secret is kept here, nor the
 * webhook's address, which may hold one. Locks: none, the table is new.
 */
export class CreateFleetSettings1763900000015 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE fleet_settings (
        key TEXT PRIMARY KEY,
        value JSONB NOT NULL,
        source TEXT NOT NULL,
        origin TEXT NOT NULL,
        version TEXT NOT NULL,
        set_at TIMESTAMPTZ NOT NULL
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE fleet_settings`);
  }
}
