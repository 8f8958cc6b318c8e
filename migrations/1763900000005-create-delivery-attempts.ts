import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * One row per HTTP attempt, never changed. No foreign key: a message deleted by hand keeps its history, and the hot path
 * does not pay for the check. Locks: none, the table is new.
 */
export class CreateDeliveryAttempts1763900000005 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE delivery_attempts (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message_id BIGINT NOT NULL,
        job_id BIGINT NOT NULL,
        started_at TIMESTAMPTZ NOT NULL,
        number INTEGER NOT NULL,
        duration_ms INTEGER,
        http_status SMALLINT,
        outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'refused', 'unavailable', 'channel', 'uncertain')),
        error TEXT,
        provider_id TEXT,
        response_excerpt TEXT CHECK (octet_length(response_excerpt) <= 4096)
      )`);
    await queryRunner.query(`CREATE INDEX idx_delivery_attempts_message ON delivery_attempts (message_id, id)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE delivery_attempts`);
  }
}
