import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every message that is sent pays for each index entry. `delivery_attempts` is only ever read by message, so its primary key
 * serves that, and the separate index goes.
 *
 * Locks: ACCESS EXCLUSIVE on `delivery_attempts` while the index is built, some seconds per million rows.
 */
export class SlimAttemptAndSentIndexes1763900000010 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await replacePrimaryKey(queryRunner, 'message_id, id');
    await queryRunner.query(`DROP INDEX idx_delivery_attempts_message`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE INDEX idx_delivery_attempts_message ON delivery_attempts (message_id, id)`);
    await replacePrimaryKey(queryRunner, 'id');
  }
}

/** Whatever its name is: where a company has something named `delivery_attempts_pkey`, PostgreSQL made up another one. */
async function replacePrimaryKey(queryRunner: QueryRunner, columns: string): Promise<void> {
  await queryRunner.query(`
    DO $$ BEGIN
      EXECUTE (SELECT format('ALTER TABLE delivery_attempts DROP CONSTRAINT %I, ADD PRIMARY KEY (${columns})', conname)
        FROM pg_constraint WHERE conrelid = 'delivery_attempts'::regclass AND contype = 'p');
    END $$`);
}
