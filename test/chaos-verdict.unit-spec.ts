import type { Evidence, Fault, MessageRow, Request } from './chaos/types.js';
import { judge } from './chaos/verdict.js';

const PROMISE = 'a kill repeats at most webhook_concurrency messages';
const KILLED_AT = 1_000_000;
const FREE_AT = KILLED_AT + 11_000;

const kill: Fault = { kind: 'kill', how: 'SIGKILL', replica: 0, at: KILLED_AT, until: KILLED_AT };

function request(n: number, changes: Partial<Request>): Request {
  return {
    n,
    key: `key-${n}`,
    replica: 0,
    trace: 'first',
    arrivedAt: KILLED_AT - 50,
    answeredAt: null,
    cutAt: KILLED_AT + 1,
    behaviour: 'prompt',
    took: true,
    ...changes,
  };
}

/** `count` messages that replica 0 had requested when it was killed and that replica 1 requested again. */
function repeated(count: number, first: Partial<Request> = {}, faults: readonly Fault[] = []): Evidence {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const again = { replica: 1, trace: 'second', arrivedAt: FREE_AT, answeredAt: FREE_AT + 20, cutAt: null };
  return {
    policy: 'resend',
    fed: count,
    rateLimit: 500,
    webhookTimeoutMs: 2_000,
    webhookConcurrency: 16,
    requests: numbers.flatMap((n) => [request(n, first), request(n, again)]),
    messages: numbers.map((n): MessageRow => ({
      id: n,
      n,
      sent: true,
      parkedAs: null,
      parkedReason: null,
      parkedAt: null,
      claimedBy: null,
      attempts: 1,
    })),
    attempts: [],
    jobs: [],
    faults: [kill, ...faults],
    recoveries: [{ replica: 0, messages: count, killedAt: KILLED_AT + 5, freeAt: FREE_AT }],
    logs: { refusedLateWrites: 0, takenOver: count, recoveredByReceipt: 0 },
    alarms: [],
    endedByThemselves: [],
  };
}

const broken = (evidence: Evidence) =>
  judge(evidence)
    .breaches.filter(({ promise }) => promise === PROMISE)
    .map(({ what }) => what);

describe('the verdict on what one kill repeats', () => {
  it('accepts as many messages as a replica may have in flight', () => {
    const verdict = judge(repeated(16));
    expect(verdict.breaches).toEqual([]);
    expect(verdict.figures).toMatchObject({ most_repeated_by_a_kill: 16, kills_of_a_sending_replica: 1 });
  });

  it('is broken by one more, and says by which kill and which messages', () => {
    expect(broken(repeated(17))).toEqual([
      expect.stringMatching(
        /^the kill of replica 0 at .*repeated 17 with webhook_concurrency 16: messages 1, 2, .*17$/,
      ),
    ]);
  });

  it('is broken by answers that were not written down in time, too', () => {
    const answered = { arrivedAt: KILLED_AT - 400, answeredAt: KILLED_AT - 300, cutAt: null };
    expect(broken(repeated(17, answered))).toHaveLength(1);
  });

  it('counts kills during an outage of Redis apart, also one that began before the messages were free', () => {
    const outage: Fault = { kind: 'redis', how: 'FLUSHALL', replica: -1, at: KILLED_AT + 9_000, until: null };
    const verdict = judge(repeated(17, {}, [outage]));
    expect(verdict.breaches).toEqual([]);
    expect(verdict.figures).toMatchObject({
      kills_without_redis: 1,
      most_repeated_by_a_kill: 0,
      most_repeated_by_a_kill_without_redis: 17,
    });
    const long: Fault = { ...outage, at: KILLED_AT - 60_000, until: KILLED_AT - 50_000 };
    expect(broken(repeated(17, {}, [long]))).toHaveLength(1);
  });

  it('does not lay to a kill what the receiver itself withheld', () => {
    const lateAnswer = { arrivedAt: KILLED_AT - 2_100, cutAt: KILLED_AT - 100, behaviour: 'late' } as const;
    expect(broken(repeated(17, lateAnswer))).toEqual([]);
    expect(broken(repeated(17, { behaviour: 'reset' }))).toEqual([]);
  });
});
