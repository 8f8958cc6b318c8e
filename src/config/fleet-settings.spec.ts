import { isNews, type Candidate, type FleetSetting } from './fleet-settings.js';

const SET_AT = Date.parse('2026-01-20T12:00:00Z');
const held = (changes: Partial<FleetSetting>): FleetSetting => ({
  key: 'scheduler_interval',
  value: 60,
  source: 'file',
  origin: '',
  version: '2026-01-20T11:00:00.000Z',
  setAt: SET_AT,
  ...changes,
});
const fromEtcd = (origin: string, version: string) => ({ source: 'etcd', origin, version }) as const;
const HERE = '1/app/config';
const candidate = (changes: Partial<Candidate>): Candidate => ({
  key: 'scheduler_interval',
  value: 2,
  source: 'file',
  origin: '',
  version: '',
  changedHere: false,
  otherHistory: false,
  etcd: null,
  etcdConfigured: false,
  fleetOrigin: null,
  fileChangedAt: null,
  ...changes,
});
const withEtcd = (origin: string, version: string): Partial<Candidate> => ({
  etcd: { origin, version },
  etcdConfigured: true,
});

describe('isNews', () => {
  it.each<[string, Partial<Candidate>, Partial<FleetSetting> | null, boolean]>([
    ['anything, when the fleet holds nothing', { source: 'default' }, null, true],
    ['etcd over a file', fromEtcd(HERE, '5'), {}, true],
    ['a later revision', fromEtcd(HERE, '6'), fromEtcd(HERE, '5'), true],
    [
      'an earlier revision, although it changed here',
      { ...fromEtcd(HERE, '4'), changedHere: true },
      fromEtcd(HERE, '5'),
      false,
    ],
    ['another prefix at the start', fromEtcd('1/app/confg', '9'), fromEtcd(HERE, '5'), false],
    ['another cluster at the start', fromEtcd('2/app/config', '9'), fromEtcd(HERE, '5'), false],
    ['a put below another prefix', { ...fromEtcd('1/other', '9'), changedHere: true }, fromEtcd(HERE, '5'), true],
    ['the file below a wrong prefix', withEtcd('1/app/confg', '9'), fromEtcd(HERE, '5'), false],
    ['a change of it', { ...withEtcd('1/app/confg', '9'), changedHere: true }, fromEtcd(HERE, '5'), false],
    ['the file after the key was deleted', withEtcd(HERE, '6'), fromEtcd(HERE, '5'), true],
    ['the file where etcd was read only before the put', withEtcd(HERE, '4'), fromEtcd(HERE, '5'), false],
    ['the file at the start, where no etcd is configured', { fileChangedAt: SET_AT + 1 }, fromEtcd(HERE, '5'), false],
    ['a change of it, where no etcd is configured', { changedHere: true }, fromEtcd(HERE, '5'), true],
    ['a file that is older than what the fleet holds', { fileChangedAt: SET_AT - 1 }, {}, false],
    ['a file that is newer', { fileChangedAt: SET_AT + 1 }, {}, true],
    ['an old file that changed here', { fileChangedAt: SET_AT - 1, changedHere: true }, {}, true],
    ['a default', { source: 'default' }, {}, false],
    ['a default instead of a default', { source: 'default', changedHere: true }, { source: 'default' }, false],
    ['a default in a file that is newer', { source: 'default', fileChangedAt: SET_AT + 1 }, {}, false],
    [
      'a default at a start after the key was deleted',
      { source: 'default', ...withEtcd(HERE, '6') },
      fromEtcd(HERE, '5'),
      false,
    ],
    [
      'a default after a deletion that was seen',
      { source: 'default', ...withEtcd(HERE, '6'), changedHere: true },
      fromEtcd(HERE, '5'),
      true,
    ],
    ['a default for what others have from etcd', { source: 'default', changedHere: true }, fromEtcd(HERE, '5'), false],
    ['a default after the key was removed from the file', { source: 'default', changedHere: true }, {}, true],
    [
      'a start after the key was removed from the file',
      { key: 'auto_sending', value: true, source: 'default', changedHere: true },
      { key: 'auto_sending', value: false },
      false,
    ],
    [
      'an earlier revision of a store that was made again',
      { ...fromEtcd(HERE, '2'), ...withEtcd(HERE, '2'), otherHistory: true },
      fromEtcd(HERE, '5'),
      true,
    ],
    [
      'uncertain messages sent again, as a restored snapshot says',
      {
        key: 'on_uncertain',
        value: 'resend',
        ...fromEtcd(HERE, '2'),
        etcdConfigured: true,
        etcd: { origin: HERE, version: '2', restoredUpTo: '2' },
        otherHistory: true,
        changedHere: true,
      },
      { ...fromEtcd(HERE, '5'), value: 'hold' },
      false,
    ],
    [
      'the same, put after that',
      {
        key: 'on_uncertain',
        value: 'resend',
        ...fromEtcd(HERE, '3'),
        etcdConfigured: true,
        etcd: { origin: HERE, version: '3', restoredUpTo: '2' },
        otherHistory: true,
        changedHere: true,
      },
      { ...fromEtcd(HERE, '5'), value: 'hold' },
      true,
    ],
    [
      'the file after a deletion from a store that was made again',
      { ...withEtcd(HERE, '3'), changedHere: true, otherHistory: true },
      fromEtcd(HERE, '5'),
      true,
    ],
    [
      'a start by the file at a start after the key was deleted',
      { key: 'auto_sending', value: true, ...withEtcd(HERE, '6') },
      { key: 'auto_sending', value: false, ...fromEtcd(HERE, '5') },
      false,
    ],
    [
      'a newer file of a key that the fleet has from a file, below a wrong prefix',
      { ...withEtcd('1/app/confg', '9'), fleetOrigin: HERE, fileChangedAt: SET_AT + 1, changedHere: true },
      {},
      false,
    ],
    [
      'the same below the right one',
      { ...withEtcd(HERE, '9'), fleetOrigin: HERE, fileChangedAt: SET_AT + 1 },
      {},
      true,
    ],
  ])('%s', (_what, changes, holding, news) => {
    const fleetOrigin = holding?.source === 'etcd' ? (holding.origin ?? null) : null;
    expect(isNews(candidate({ fleetOrigin, ...changes }), holding === null ? null : held(holding))).toBe(news);
  });

  it('is no file that is older than the stop of an operator', () => {
    const file = candidate({ fileChangedAt: SET_AT + 1000 });
    expect(isNews(file, held({}), SET_AT + 2000)).toBe(false);
    expect(isNews(file, held({}), SET_AT + 500)).toBe(true);
  });

  it('is no default and no value of a store made again that would start what an operator stopped, unless it was put', () => {
    const start = { key: 'auto_sending', value: true } as const;
    const fleet = held({ ...fromEtcd(HERE, '5'), key: 'auto_sending', value: false });
    const deleted = candidate({ ...start, source: 'default', ...withEtcd(HERE, '6'), changedHere: true });
    const found = candidate({ ...start, ...fromEtcd(HERE, '2'), ...withEtcd(HERE, '2'), otherHistory: true });
    for (const one of [deleted, found]) expect([isNews(one, fleet), isNews(one, fleet, SET_AT)]).toEqual([true, false]);
    expect(isNews({ ...found, changedHere: true }, fleet, SET_AT)).toBe(true);
  });
});
