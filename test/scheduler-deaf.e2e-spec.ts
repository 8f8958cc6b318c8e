import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(90_000);

describe('a replica whose listening connection is refused', () => {
  let stage: Stage;
  let wayToListen: TcpProxy;
  beforeEach(async () => {
    stage = await Stage.set();
    wayToListen = await TcpProxy.to(stage.database.url);
  });
  afterEach(async () => {
    await stage.strike();
    await wayToListen.stop();
  });

  it('learns within seconds of a start that it could not hear, and sends', async () => {
    const hearing = await stage.replica({ auto_sending: false });
    const deaf = await stage.replica({ auto_sending: false }, { APP_DB_DIRECT_URL: wayToListen.url });
    await deaf.logged(/^sending is stopped/);
    wayToListen.cut();
    await deaf.logged(/lost the listening connection/);
    await hearing.post('/start');
    await hearing.end('SIGKILL');
    await stage.database.insertMessages(2);
    await eventually(async () => expect(await stage.sentCount()).toBe(2), 30_000);
  });
});
