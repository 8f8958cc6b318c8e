import { ChannelWatch } from './channel-watch.js';
import type { Delivery } from './delivery.js';

const accepted: Delivery = { outcome: 'accepted', status: 202, messageId: null };
const refused: Delivery = { outcome: 'refused', status: 400, error: 'HTTP 400' };
const denied: Delivery = { outcome: 'channel', status: 404, error: 'HTTP 404' };
const unconnected: Delivery = { outcome: 'channel', status: null, error: 'ECONNREFUSED' };
const unavailable: Delivery = { outcome: 'unavailable', status: 503, error: 'HTTP 503', retryAfterMs: null };
const asking: Delivery = { outcome: 'unavailable', status: 429, error: 'HTTP 429', retryAfterMs: 30_000 };
const uncertain: Delivery = { outcome: 'uncertain', status: 504, error: 'HTTP 504' };

/** A watch, and messages that get these outcomes: each another one, numbered from 1, a probe where one is wanted. */
function watched() {
  const watch = new ChannelWatch();
  const target = watch.aim('http://receiver/', null);
  let id = 0;
  const fare = (delivery: Delivery, times = 1) => {
    for (let count = 0; count < times; count += 1) watch.note((id += 1), delivery, target, watch.wantsProbe, 0, 0);
  };
  return { watch, fare };
}

describe('ChannelWatch', () => {
  it.each([
    ['answers of which nobody knows whom they blame', denied, 3],
    ['connections that fail', unconnected, 3],
    ['a receiver that asks to wait', asking, 3],
    ['a receiver that is unavailable', unavailable, 10],
    ['silence', uncertain, 10],
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
    const rows = [3, 6, 12, 24, 48, 48].map((row) => {
      fare(denied, row - 1);
      const early = watch.wantsProbe;
      fare(denied);
      const inTime = watch.wantsProbe;
      fare(denied, 2);
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
    watch.beginJob();
    expect(places()).toEqual([0.4, 1, 0.4]);
  });

  it('counts different messages, not the same one again and again', () => {
    const { watch } = watched();
    const target = watch.aim('http://receiver/', null);
    for (let count = 0; count < 100; count += 1) watch.note(1, denied, target, false, 0, 0);
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
      [unconnected, 3, 1],
      [uncertain, 10, 1],
      [asking, 3, 1],
      [denied, 3, 3],
    ] as const) {
      const { watch, fare } = watched();
      fare(bad, row + 3);
      watch.beginJob();
      fare(bad, probes - 1);
      expect(watch.wantsProbe).toBe(true);
      fare(bad);
      expect(watch.wantsProbe).toBe(false);
      watch.beginJob();
      fare(accepted);
      expect(watch).toMatchObject({ suspected: false, trouble: null });
    }
  });

  it('keeps a probe for the next job when the budget ended before it', () => {
    const { watch, fare } = watched();
    for (let job = 0; job < 3; job += 1) {
      watch.beginJob();
      fare(denied);
    }
    watch.beginJob();
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
    watch.beginJob();
    fare(accepted);
    expect(watch.waitUntil(0, 0)).toBeNull();
  });

  it('counts no message without an answer whose request began before another one was accepted', () => {
    const { watch } = watched();
    const target = watch.aim('http://receiver/', null);
    watch.note(99, accepted, target, false, 5, 6);
    for (let id = 0; id < 50; id += 1) watch.note(id, uncertain, target, false, 5, 10);
    expect(watch).toMatchObject({ wantsProbe: false, doubt: null });
    for (let id = 0; id < 10; id += 1) watch.note(id, uncertain, target, false, 7, 12);
    expect(watch.wantsProbe).toBe(true);
  });

  it('knows how long ago a message was accepted, until the way is in trouble', () => {
    const { watch, fare } = watched();
    expect(watch.acceptedAgoMs(5)).toBe(Infinity);
    fare(accepted);
    expect(watch.acceptedAgoMs(5)).toBe(5);
    fare(denied, 6);
    expect(watch.acceptedAgoMs(5)).toBe(Infinity);
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
    watch.note(1, accepted, target, false, 0, 0);
    expect(watch.acceptedAgoMs(0)).toBe(0);
  });
});
