import type { IRangeResponse, IWatchResponse } from 'etcd3';
import { EtcdDocument } from './etcd-document.js';

const PREFIX = '/app/config';
type Write = readonly [name: string, value: string, revision: number];

const header = (revision: number, cluster_id = '1') => ({
  cluster_id,
  member_id: '1',
  revision: String(revision),
  raft_term: '1',
});
const kv = ([name, value, revision]: Write) => ({
  key: Buffer.from(`${PREFIX}/${name}`),
  value: Buffer.from(value),
  mod_revision: String(revision),
  create_revision: '1',
  version: '1',
  lease: '0',
});
const read = (revision: number, writes: readonly Write[], cluster?: string): IRangeResponse => ({
  header: header(revision, cluster),
  kvs: writes.map(kv),
  more: false,
  count: String(writes.length),
});
const events = (revision: number, type: 'Put' | 'Delete', ...writes: readonly Write[]): IWatchResponse => ({
  header: header(revision),
  watch_id: '1',
  created: false,
  canceled: false,
  compact_revision: '0',
  cancel_reason: '',
  fragment: false,
  events: writes.map((write) => ({ type, kv: kv(write), prev_kv: kv(write) })),
});

describe('EtcdDocument', () => {
  let known: EtcdDocument;
  const values = () => Object.fromEntries([...known.document.entries].map(([name, { raw }]) => [name, raw]));

  beforeEach(() => {
    known = new EtcdDocument(PREFIX);
    known.takeRead(
      read(10, [
        ['a', '1', 5],
        ['b', '2', 10],
      ]),
      '0',
    );
  });

  it('holds what was read, with its revisions', () => {
    expect(values()).toEqual({ a: '1', b: '2' });
    expect(known.document.version).toBe('10');
    expect(known.document.entries.get('a')?.version).toBe('5');
  });

  it('takes events in their order, and each one once', () => {
    expect(known.takeEvents(events(12, 'Put', ['a', '3', 11], ['a', '4', 12]))).toBe(true);
    expect(known.takeEvents(events(12, 'Put', ['a', '3', 11]))).toBe(false);
    expect(known.takeEvents(events(13, 'Delete', ['b', '', 13]))).toBe(true);
    expect(values()).toEqual({ a: '4' });
    expect(known.revision).toBe('13');
  });

  it('takes the events of a watch that is still catching up, whose header is ahead of them', () => {
    known.takeEvents(events(20, 'Put', ['a', '3', 11]));
    expect(known.takeEvents(events(20, 'Put', ['a', '4', 12]))).toBe(true);
    expect(values()).toMatchObject({ a: '4' });
  });

  it('passes over a read that events have overtaken', () => {
    known.takeEvents(events(12, 'Put', ['a', '3', 12]));
    expect(
      known.takeRead(
        read(11, [
          ['a', '1', 5],
          ['b', '2', 10],
        ]),
        '10',
      ),
    ).toBe(false);
    expect(values()).toEqual({ a: '3', b: '2' });
    expect(known.retainedKeys).toEqual([]);
  });

  it('takes a key that is gone from the same store for deleted', () => {
    expect(known.takeRead(read(11, [['a', '1', 5]]), '10')).toBe(true);
    expect(values()).toEqual({ a: '1' });
    expect(known.takeRead(read(15, [['a', '1', 5]]), '11')).toBe(false);
  });

  it.each([
    ['its revision went back', read(3, [['b', '7', 2]])],
    ['it is another cluster', read(40, [['b', '7', 39]], '2')],
    ['it tells another history', read(40, [['b', '7', 9]])],
  ])('keeps what a replaced store does not have: %s', (_how, response) => {
    expect(known.takeRead(response, '10')).toBe(true);
    expect(values()).toEqual({ a: '1', b: '7' });
    expect(known.retainedKeys).toEqual(['a']);
    expect(known.takeRead(response, known.revision)).toBe(false);
    expect(values()).toEqual({ a: '1', b: '7' });
  });

  it('gives up what it kept when that is written, deleted or forgotten', () => {
    known.takeRead(read(1, []), '10');
    known.takeEvents(events(2, 'Put', ['a', '9', 2]));
    expect(known.retainedKeys).toEqual(['b']);
    known.takeEvents(events(3, 'Delete', ['a', '', 3]));
    expect(values()).toEqual({ b: '2' });
    expect(known.forget('b')).toBe(true);
    expect(known.forget('b')).toBe(false);
    expect(values()).toEqual({});
  });

  it('hands over bytes where a value is not UTF-8', () => {
    const response = read(11, [['a', 'x', 11]]);
    const bytes = { ...response, kvs: response.kvs.map((one) => ({ ...one, value: Buffer.from([0xff]) })) };
    known.takeRead(bytes, '10');
    expect(known.document.entries.get('a')?.raw).toEqual(Buffer.from([0xff]));
  });
});
