import { LEAD_MS, LONGEST_LEAD_MS } from './schedule.js';

/** What so many of the latest jobs needed tells what the next one needs. */
const LATEST_JOBS = 5;

/**
 * How long before its time this replica takes a slot: as long as its latest jobs needed from there to their first claim, which
 * grows with the distance to PostgreSQL.
 */
export class LeadTime {
  private readonly latest: number[] = [];

  /** Call it with what each job needed from its look at the schedule until it could make its first request. */
  measured(ms: number): void {
    this.latest.push(ms);
    if (this.latest.length > LATEST_JOBS) this.latest.shift();
  }

  /** At most half an interval, so that a job does not begin while the one of the slot before is expected to run. */
  ms(intervalMs: number): number {
    return Math.min(Math.max(LEAD_MS, ...this.latest.map(Math.ceil)), LONGEST_LEAD_MS, intervalMs / 2);
  }
}
