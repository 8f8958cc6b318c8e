import { redisAddress } from './redis-address.js';

const nodes = (...places: [host: string, port: number][]) => places.map(([host, port]) => ({ host, port }));

describe('the address of Redis', () => {
  it.each([
    ['redis:6380', { mode: 'single', tls: false, nodes: nodes(['redis', 6380]) }],
    ['cache', { mode: 'single', tls: false, nodes: nodes(['cache', 6379]) }],
    ['[::1]:6380', { mode: 'single', tls: false, nodes: nodes(['::1', 6380]) }],
    ['redis://redis', { mode: 'single', tls: false, nodes: nodes(['redis', 6379]) }],
    ['rediss://redis:6380/', { mode: 'single', tls: true, nodes: nodes(['redis', 6380]) }],
    [
      'redis-sentinel://s1,s2:26380,[::1]/orders',
      {
        mode: 'sentinel',
        tls: false,
        masterName: 'orders',
        nodes: nodes(['s1', 26_379], ['s2', 26_380], ['::1', 26_379]),
      },
    ],
    ['rediss-sentinel://s1', { mode: 'sentinel', tls: true, masterName: 'mymaster', nodes: nodes(['s1', 26_379]) }],
    ['redis://dispatcher@redis', { mode: 'single', tls: false, username: 'dispatcher', nodes: nodes(['redis', 6379]) }],
    ['rediss-cluster://a%40b@c', { mode: 'cluster', tls: true, username: 'a@b', nodes: nodes(['c', 6379]) }],
    ['redis-cluster://a,b:7000', { mode: 'cluster', tls: false, nodes: nodes(['a', 6379], ['b', 7000]) }],
    ['rediss-cluster://a', { mode: 'cluster', tls: true, nodes: nodes(['a', 6379]) }],
  ])('is understood as %s', (text, address) => {
    expect(redisAddress.parse(text)).toEqual({ username: null, ...address });
  });

  it.each([
    'a:6379,b:6379',
    'redis://a,b',
    'redis://a/0',
    'redis://100%@a',
    'redis://@a',
    'redis://:secret@a:6379',
    'user:secret@a:6379',
    'redis-cluster://a/mymaster',
    'redis-cluster://',
    'redis-sentinel://a,,b/mymaster',
    'redis-sentinel://a:99999/mymaster',
    'redis-sentinel://a/my master',
    'redis-ring://a',
    'http://redis:6379',
  ])('is not %s', (text) => {
    expect(redisAddress.safeParse(text).success).toBe(false);
  });
});
