import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * At 20,000 messages a second an INTEGER id is used up in thirty hours.
 * Locks: ACCESS EXCLUSIVE while an adopted table is rewritten, about a second per million rows.
 */
export class WidenMessageId1763900000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE messages ALTER COLUMN id TYPE BIGINT`);
    await queryRunner.query(`
      DO $$
      DECLARE sequence TEXT := pg_get_serial_sequence('messages', 'id');
      BEGIN
        IF sequence IS NOT NULL THEN
          EXECUTE format('ALTER SEQUENCE %s AS BIGINT', sequence);
        END IF;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE messages ALTER COLUMN id TYPE INTEGER`);
  }
}
