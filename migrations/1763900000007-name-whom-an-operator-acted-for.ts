import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * With API keys the actor is the key's name, and whom the caller names besides has a column of its own.
 * Locks `operator_actions` for an instant: the column has no default, so no row is rewritten.
 */
export class NameWhomAnOperatorActedFor1763900000007 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE operator_actions ADD COLUMN on_behalf_of TEXT`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE operator_actions DROP COLUMN on_behalf_of`);
  }
}
