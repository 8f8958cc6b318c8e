import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { IntakeKeyInUse, IntakeKeyReused } from './message-errors.js';

/** A reply, exactly as it is or was given. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whether it was given before, so that nothing was done this time. */
  readonly replayed: boolean;
}

/** What was answered may hold a number and a text. Retention deletes older ones, once an hour. */
export const KEPT_DAYS = 1;

const lockedRows = z.tuple([z.object({ locked: z.boolean() })]);
const keptRows = z.array(z.object({ body_sha256: z.string(), status: z.number(), answer: z.string() }));

/**
 * What `POST /messages` answered to each Idempotency-Key, for a day at least. An answer and what it tells of are written in
 * one transaction: either both are there after a crash, or neither.
 */
@Injectable()
export class IntakeKeys {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` for a key that is new to this caller and keeps its answer; otherwise gives the answer that was kept.
   * What makes `work` fail is not kept: the key is still new then.
   * @throws IntakeKeyReused for another body, IntakeKeyInUse while the first request is under way, on any replica.
   */
  async once(
    caller: string,
    key: string,
    body: unknown,
    work: (manager: EntityManager) => Promise<{ status: number; body: unknown }>,
  ): Promise<Answer> {
    const bodySha256 = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    return await this.dataSource.transaction(async (manager) => {
      const [{ locked }] = lockedRows.parse(await manager.query(LOCK, [caller, key]));
      if (!locked) throw new IntakeKeyInUse();
      // A statement of its own, so that it sees what the last holder of the lock has committed.
      const [kept] = keptRows.parse(await manager.query(FIND, [caller, key]));
      if (kept !== undefined && kept.body_sha256 !== bodySha256) throw new IntakeKeyReused();
      if (kept !== undefined) return { status: kept.status, body: kept.answer, replayed: true };
      const { status, body: answer } = await work(manager);
      const text = JSON.stringify(answer);
      await manager.query(KEEP, [caller, key, bodySha256, status, text]);
      return { status, body: text, replayed: false };
    });
  }
}

// Two keys share a lock once in 2^64; one of them is then asked to try again.
const LOCK = `SELECT pg_try_advisory_xact_lock(hashtextextended('intake ' || $1 || ' ' || $2, 0)) AS locked`;

const FIND = `SELECT body_sha256, status, answer FROM intake_keys WHERE caller = $1 AND key = $2`;

const KEEP = `INSERT INTO intake_keys (caller, key, body_sha256, status, answer) VALUES ($1, $2, $3, $4, $5)`;
