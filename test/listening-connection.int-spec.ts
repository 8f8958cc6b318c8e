import { getEventListeners } from 'node:events';
import { primaryFinder } from '../src/data-source.js';
import { listenOnce, type Listener } from '../src/scheduler/listening-connection.js';
import { eventually } from './support/eventually.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { TestDatabase } from './support/test-database.js';

describe('the listening connection', () => {
  let database: TestDatabase;
  let way: TcpProxy;
  let heard: (string | undefined)[];
  let listening: number;
  const listener: Listener = {
    channel: 'some_channel',
    onListening: () => (listening += 1),
    onNotification: (payload) => heard.push(payload),
  };

  beforeEach(async () => {
    heard = [];
    listening = 0;
    database = await TestDatabase.create();
    way = await TcpProxy.to(database.url);
  });
  afterEach(async () => {
    await way.stop();
    await database.drop();
  });

  it('hears until it is told to end', async () => {
    const stopping = new AbortController();
    const listened = listenOnce(primaryFinder(way.url), listener, stopping.signal);
    await eventually(() => expect(listening).toBe(1));
    await database.query(`NOTIFY some_channel, 'news'`);
    await eventually(() => expect(heard).toEqual(['news']));
    stopping.abort();
    await listened;
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });

  it('leaves nothing behind when it is lost or cannot be made, a hundred times', async () => {
    const { signal } = new AbortController();
    const primary = primaryFinder(way.url);
    const lost = listenOnce(primary, listener, signal);
    await eventually(() => expect(listening).toBe(1));
    way.cut();
    await expect(lost).rejects.toThrow();
    for (let tries = 0; tries < 100; tries += 1) await expect(listenOnce(primary, listener, signal)).rejects.toThrow();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
