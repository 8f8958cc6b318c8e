import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `closed_fence`: the owner under this fence has given back what it had claimed, and claims nothing any more. */
export class AddClosedFence1763900000011 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN closed_fence INTEGER`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN closed_fence`);
  }
}
