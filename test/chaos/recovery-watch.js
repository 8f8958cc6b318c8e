import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 100;
const GIVE_UP_MS = 120_000;

/** @typedef {{ id: number, claimed_by: number, claim_fence: number }} Held */

/** Measures how long the messages of a killed replica stay in its dead hands. */
export class RecoveryWatch {
  /** @type {import('./types.js').Recovery[]} */
  recoveries = [];
  /** @type {Promise<void>[]} */
  watching = [];
  over = false;

  /** @param {import('./database.js').ChaosDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /**
   * @param {number} replica
   * @param {number} pid of the process that was just killed
   */
  follow(replica, pid) {
    this.watching.push(this.measure(replica, pid, Date.now()).catch(() => undefined));
  }

  async end() {
    this.over = true;
    await Promise.all(this.watching);
  }

  /**
   * @param {number} replica
   * @param {number} pid
   * @param {number} killedAt
   */
  async measure(replica, pid, killedAt) {
    const held = await this.retry(() => this.database.heldBy(pid), killedAt);
    /** @type {Map<string, Held[]>} */
    const byTenure = new Map();
    for (const row of held) {
      const tenure = `${row.claimed_by}/${row.claim_fence}`;
      byTenure.set(tenure, [...(byTenure.get(tenure) ?? []), row]);
    }
    await Promise.all([...byTenure.values()].map((rows) => this.untilFree(replica, rows, killedAt)));
  }

  /**
   * @param {number} replica
   * @param {Held[]} rows
   * @param {number} killedAt
   */
  async untilFree(replica, rows, killedAt) {
    const [first] = rows;
    if (first === undefined) return;
    const ids = rows.map(({ id }) => id);
    const stillHeld = () => this.database.stillHeld(ids, first.claimed_by, first.claim_fence);
    while ((await this.retry(stillHeld, killedAt)) > 0) {
      if (this.over || Date.now() - killedAt > GIVE_UP_MS) break;
      await sleep(LOOK_AGAIN_MS);
    }
    this.recoveries.push({ replica, messages: ids.length, killedAt, freeAt: Date.now() });
  }

  /**
   * The database may be away itself.
   * @template T
   * @param {() => Promise<T>} query
   * @param {number} since
   */
  async retry(query, since) {
    for (;;) {
      try {
        return await query();
      } catch (error) {
        if (this.over || Date.now() - since > GIVE_UP_MS) throw error;
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }
}
