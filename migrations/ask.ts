import type { QueryRunner } from 'typeorm';

/** The rows of a statement; TypeORM does not know their type. */
export async function ask<Row>(queryRunner: QueryRunner, statement: string, values: unknown[] = []): Promise<Row[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (await queryRunner.query(statement, values)) as Row[];
}
