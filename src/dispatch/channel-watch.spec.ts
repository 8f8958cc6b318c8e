import { ChannelWatch } from './channel-watch.js';
import type { Delivery } from './delivery.js';

const accepted: Delivery = { outcome: 'accepted', status: 202, messageId: null };
const refused: Delivery = { outcome: 'refused', status: 400, error: 'HTTP 400' };
const denied: Delivery = { outcome: 'channel', status: 404, error: 'HTTP 404' };
const unconnected: Delivery = { outcome: 'channel', status: null, error: 'ECONNREFUSED' };
const unavailable: Delivery = { outcome: 'unavailable', status: 503, error: 'HTTP 503', retryAfterMs: null };
const asking: Delivery = { outcome: 'unavailable', status: 429, error: 'HTTP 429', retryAfterMs: 30_000 };
const uncertain: Delivery = { outcome: 'uncertain', status: 504, error: 'HTTP 504' };
const unreadable: Delivery = { outcome: 'uncertain', status: null, error: 'no HTTP', isUnreadable: true };

/** A watch, and messages that get these outcomes: each to another recipient, a probe where one is wanted. */
function watched() {
  const watch = new ChannelWatch();
  const target = watch.aim('http://receiver/', null);
  let id = 0;
  const fare = (delivery: Delivery, times = 1) => {
    for (let count = 0; count < times; count += 1)
      watch.note(`+90${(id += 1)}`, delivery, target, watch.wantsProbe, 0, 0);
  };
  return { watch, fare };
}

describe('ChannelWatch', () => {
  it.each([
    ['answers of which nobody knows whom they blame', denied, 3],
    ['a receiver that asks to wait', asking, 3],
    ['a receiver that is unavailable', unavailable, 10],
    ['silence', uncertain, 10],
    ['answers that cannot be read', unreadable, 3],
  ])('suspects the way after a row of %s, and calls it in trouble when three probes fare the same', (_, bad, row) => {
    const { watch, fare } = watched();
    fare(bad, row - 1);
    expect(watch.wantsProbe).toBe(false);
    fare(bad);
    expect(watch).toMatchObject({ wantsProbe: true, trouble: null });
    fare(bad, 2);
    expect(watch).toMatchObject({ wantsProbe: true, trouble: null });
    fare(bad);
    expect(watch).toMatchObject({ wantsProbe: false, suspected: true, trouble: expect.any(String) as unknown });
  });

  it('takes the row for those messages’ own trouble when a probe gets through, and waits twice as long from then on', () => {
    const { watch, fare } = watched();
    const rows = [10, 20, 40, 80, 160, 160].map((row) => {
      fare(unavailable, row - 1);
      const early = watch.wantsProbe;
      fare(unavailable);
      const inTime = watch.wantsProbe;
      fare(unavailable, 2);
      fare(accepted);
      return { row, early, inTime };
    });
    expect(rows.filter(({ early, inTime }) => early || !inTime)).toEqual([]);
    expect(watch).toMatchObject({ suspected: false, trouble: null, doubt: null });
  });

  it('probes with the newest message first, and with any other in turn', () => {
    const { watch, fare } = watched();
    fare(denied, 3);
    const places = () =>
      [0, 1, 2].map(() => {
        const place = watch.probePlace(0.4);
        fare(denied);
        return place;
      });
    expect(places()).toEqual([1, 0.4, 0.4]);
    watch.beginJob(0);
    expect(places()).toEqual([0.4, 1, 0.4]);
  });

  it('bears many answered failures in any order while some messages are accepted, for ten jobs', () => {
    const { watch, fare } = watched();
    fare(accepted);
    fare(denied, 23);
    expect(watch.suspected).toBe(false);
    fare(denied);
    expect(watch.wantsProbe).toBe(true);
    fare(denied, 9);
    expect(watch.trouble).toBeNull();
    fare(denied);
    expect(watch.trouble).not.toBeNull();

    watch.beginJob(0);
    fare(accepted);
    for (let job = 0; job < 11; job += 1) watch.beginJob(0);
    fare(denied, 3);
    expect(watch.wantsProbe).toBe(true);
  });

  it('waits only where different recipients were asked to, and tries others meanwhile, one a job and not without end', () => {
    const { watch } = watched();
    const target = watch.aim('http://receiver/', null);
    const fare = (recipient: string) => watch.note(recipient, asking, target, watch.wantsProbe, 0, 0);
    for (let count = 0; count < 100; count += 1) fare('+901');
    expect(watch).toMatchObject({ suspected: false, trouble: null });
    for (const recipient of ['+902', '+903', '+901', '+902', '+903']) fare(recipient);
    expect(watch.waitUntil(0, 0)).not.toBeNull();
    expect(watch.probeWish(0)).toMatchObject({ othersOnly: true, known: ['+901', '+902', '+903'] });

    const untilFirst = watch.waitUntil(0, 10_000);
    for (let id = 4; id < 33; id += 1) {
      expect(watch.mayTryOthers).toBe(true);
      watch.beginJob(10_000);
      watch.note(`+90${id}`, asking, target, true, 10_000, 10_000);
      expect(watch.wantsProbe).toBe(false);
    }
    expect(watch.mayTryOthers).toBe(false);
    expect(watch.waitUntil(0, 10_000)).toBe(untilFirst);
    expect(watch.probeWish(0).known).toHaveLength(32);
  });

  it('asks for probes of both kinds in turn', () => {
    const { watch, fare } = watched();
    fare(denied, 6);
    const kinds = [0, 1, 2, 3].map(() => {
      watch.beginJob(0);
      const { retryFirst } = watch.probeWish(0);
      fare(denied);
      return retryFirst;
    });
    expect(kinds).toEqual([true, false, true, false]);
  });

  it('counts different recipients, not the same one again and again', () => {
    const { watch } = watched();
    const target = watch.aim('http://receiver/', null);
    for (let count = 0; count < 100; count += 1) watch.note('+901', denied, target, false, 0, 0);
    expect(watch).toMatchObject({
      wantsProbe: false,
      trouble: null,
      doubt: 'the latest message did not get through: HTTP 404',
    });
  });

  it.each([accepted, refused])('begins a new row after %j', (proof) => {
    const { watch, fare } = watched();
    for (let count = 0; count < 10; count += 1) {
      fare(denied, 2);
      fare(proof);
    }
    expect(watch.suspected).toBe(false);
  });

  it('tries a way in trouble with one probe per job, or three while answers come', () => {
    for (const [bad, row, probes] of [
      [uncertain, 10, 1],
      [asking, 3, 1],
      [denied, 3, 3],
    ] as const) {
      const { watch, fare } = watched();
      fare(bad, row + 3);
      watch.beginJob(0);
      fare(bad, probes - 1);
      expect(watch.wantsProbe).toBe(true);
      fare(bad);
      expect(watch.wantsProbe).toBe(false);
      watch.beginJob(0);
      fare(accepted);
      expect(watch).toMatchObject({ suspected: false, trouble: null });
    }
  });

  it('keeps a probe for the next job when the budget ended before it', () => {
    const { watch, fare } = watched();
    for (let job = 0; job < 3; job += 1) {
      watch.beginJob(0);
      fare(denied);
    }
    watch.beginJob(0);
    expect(watch.wantsProbe).toBe(true);
  });

  it('waits as long as the receiver asked when all messages are asked to wait, and not because of one', () => {
    const { watch, fare } = watched();
    fare(asking);
    expect(watch.waitUntil(0, 0)).toBeNull();
    fare(asking, 5);
    expect([0, 29_999, 30_000].map((now) => watch.waitUntil(now, now))).toEqual([
      '1970-01-01T00:00:30Z',
      '1970-01-01T00:00:30Z',
      null,
    ]);
    watch.beginJob(0);
    fare(accepted);
    expect(watch.waitUntil(0, 0)).toBeNull();
  });

  it('counts no message without an answer whose request began before another one was accepted', () => {
    const { watch } = watched();
    const target = watch.aim('http://receiver/', null);
    watch.note('+9099', accepted, target, false, 5, 6);
    for (let id = 0; id < 50; id += 1) watch.note(`+90${id}`, uncertain, target, false, 5, 10);
    expect(watch).toMatchObject({ wantsProbe: false, doubt: null });
    for (let id = 0; id < 10; id += 1) watch.note(`+90${id}`, uncertain, target, false, 7, 12);
    expect(watch.wantsProbe).toBe(true);
  });

  it('knows how long ago a message was accepted, until the way is in trouble', () => {
    const { watch, fare } = watched();
    expect(watch.acceptedAgoMs(5)).toBe(Infinity);
    fare(accepted);
    expect(watch.acceptedAgoMs(5)).toBe(5);
    fare(denied, 24 + 10);
    expect(watch.acceptedAgoMs(5)).toBe(Infinity);
  });

  it('takes connections that fail for trouble of the way when several tries did, over two seconds at least', () => {
    const { watch } = watched();
    const target = watch.aim('http://receiver/', null);
    let id = 0;
    const fail = (startedAt: number, now = startedAt) =>
      watch.note(`+90${(id += 1)}`, unconnected, target, watch.wantsProbe, startedAt, now);
    // All that were begun at once fail at once, and so do the next tries.
    for (let count = 0; count < 64; count += 1) fail(100);
    for (const at of [600, 1_100, 1_600, 2_099]) {
      expect(watch).toMatchObject({ wantsProbe: true, trouble: null, probePauseMs: 500 });
      fail(at);
    }
    expect(watch.trouble).toBeNull();
    fail(2_100);
    expect(watch).toMatchObject({ wantsProbe: false, trouble: expect.any(String) as unknown, probePauseMs: 0 });
    watch.beginJob(3_000);
    fail(3_000);
    expect(watch.wantsProbe).toBe(false);
    watch.beginJob(4_000);
    watch.note('+901', accepted, target, true, 4_000, 4_000);
    expect(watch.trouble).toBeNull();

    // Two that were not answered for long tell as much.
    fail(5_000, 15_000);
    expect(watch.suspected).toBe(false);
    fail(6_000, 16_000);
    expect(watch.trouble).not.toBeNull();
  });

  it('forgets everything when the target or its key is another one', () => {
    const { watch, fare } = watched();
    fare(denied, 6);
    watch.aim('http://receiver/', null);
    expect(watch.trouble).not.toBeNull();
    const target = watch.aim('http://receiver/', 'key');
    expect(watch).toMatchObject({ suspected: false, trouble: null });
    // What was under way to the former target says nothing about this one.
    fare(accepted);
    expect(watch.acceptedAgoMs(0)).toBe(Infinity);
    watch.note('+901', accepted, target, false, 0, 0);
    expect(watch.acceptedAgoMs(0)).toBe(0);
  });
});
