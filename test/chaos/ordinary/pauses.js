import { setTimeout as sleep } from 'node:timers/promises';

/** The job of a replica that is gone is in other hands after its lease of 10 s, or 20 s at the latest. */
const LEASE_MS = 20_000;
const LOOK_AGAIN_MS = 200;

/** Times during which nobody's turn passes, each with its reason. */
export class Pauses {
  /** @type {import('./types.js').Pause[]} */
  pauses = [];

  /** @param {import('./database.js').OrdinaryDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /**
   * Begins one; it ends when the returned function is called.
   * @param {string} why
   */
  begin(why) {
    const pause = { from: Date.now(), until: Infinity, why };
    this.pauses.push(pause);
    return () => void (pause.until = Date.now());
  }

  /**
   * The time for which a process that is dead or hangs keeps the job that it ran; none if it ran no job. Longer than a lease and
   * its grace is nobody's excuse.
   * @param {number} pid
   * @param {string} why
   * @param {number} from
   */
  async whileOwning(pid, why, from) {
    const giveUpAt = from + LEASE_MS;
    if (!(await this.database.ownsJob(pid))) return;
    const pause = { from, until: giveUpAt, why };
    this.pauses.push(pause);
    while (Date.now() < giveUpAt && (await this.database.ownsJob(pid))) await sleep(LOOK_AGAIN_MS);
    pause.until = Math.min(giveUpAt, Date.now());
  }
}
