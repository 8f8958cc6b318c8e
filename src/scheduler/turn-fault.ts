import { databaseFaultOf, refusalOf } from '../database-fault.js';
import { isDatabaseOutage } from '../database-outage.js';
import { isError } from '../described-error.js';

/** Why a turn of the scheduler failed. */
export interface TurnFault {
  /** What happened, in words for people; holds no value of a row. */
  readonly text: string;
  /** Whether waiting helps: PostgreSQL is away, busy or locked. Otherwise somebody must change something. */
  readonly passes: boolean;
}

/** Names the fault by what PostgreSQL said: only an outage is called one. Pure. */
export function turnFaultOf(error: unknown): TurnFault {
  const fault = databaseFaultOf(error);
  if (fault === 'outage' || isDatabaseOutage(error)) return { text: 'the schedule is out of reach', passes: true };
  const { sqlstate, text } = refusalOf(error);
  if (fault === 'slow')
    return { text: `PostgreSQL takes too long to read or write the schedule (${text})`, passes: true };
  if (fault === 'locked') {
    return { text: `another transaction keeps a table locked that the schedule needs (${text})`, passes: true };
  }
  if (sqlstate !== null) return { text: `PostgreSQL refuses to read or write the schedule: ${text}`, passes: false };
  const reason = isError(error) ? error.message.slice(0, 200) : text;
  return { text: `a turn of the scheduler fails: ${reason}`, passes: false };
}
