import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What operators did to messages: who, when, why, and to which. Never changed. Locks: none, the table is new. */
export class CreateOperatorActions1763900000006 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE operator_actions (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        reason TEXT,
        message_id BIGINT,
        detail JSONB
      )`);
    await queryRunner.query(
      `CREATE INDEX idx_operator_actions_message ON operator_actions (message_id, id) WHERE message_id IS NOT NULL`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE operator_actions`);
  }
}
