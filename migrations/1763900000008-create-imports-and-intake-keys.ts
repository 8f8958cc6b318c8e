import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `imports` tells how far each file has been read by `npm run import`, so that an import which was broken off goes on
 * where its last commit was; `intake_keys` what `POST /messages` answered to each Idempotency-Key.
 * Locks: none, the tables are new.
 */
export class CreateImportsAndIntakeKeys1763900000008 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE imports (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        sha256 TEXT NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
        file_name TEXT NOT NULL,
        file_bytes BIGINT NOT NULL,
        format TEXT NOT NULL CHECK (format IN ('csv', 'ndjson')),
        mode TEXT NOT NULL CHECK (mode IN ('all-or-nothing', 'per-row')),
        next_offset BIGINT NOT NULL DEFAULT 0 CHECK (next_offset BETWEEN 0 AND file_bytes),
        next_line BIGINT NOT NULL DEFAULT 1 CHECK (next_line > 0),
        stored BIGINT NOT NULL DEFAULT 0,
        refused BIGINT NOT NULL DEFAULT 0,
        started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        finished_at TIMESTAMPTZ
      )`);
    await queryRunner.query(`CREATE INDEX idx_imports_file ON imports (sha256, id DESC)`);
    await queryRunner.query(`CREATE UNIQUE INDEX idx_imports_unfinished ON imports (sha256) WHERE finished_at IS NULL`);
    await queryRunner.query(`
      CREATE TABLE intake_keys (
        caller TEXT NOT NULL DEFAULT '',
        key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
        body_sha256 TEXT NOT NULL,
        status SMALLINT NOT NULL,
        answer TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        PRIMARY KEY (caller, key)
      )`);
    await queryRunner.query(`CREATE INDEX idx_intake_keys_age ON intake_keys (created_at)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE imports, intake_keys`);
  }
}
