import { readFileSync, rmSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { makeCertificates, type Certificates } from './support/certificates.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { RawReceiver } from './support/raw-receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

interface Message {
  readonly state: string;
  readonly charged_attempts: number;
  readonly attempts: readonly { readonly outcome: string; readonly error: string | null }[];
}

let stage: Stage;
beforeEach(async () => (stage = await Stage.set()));
afterEach(() => stage.strike());

const find = async (app: DispatcherProcess, id: number) => (await app.get(`/messages/${id}`)).json<Message>();

async function firstAttempt(app: DispatcherProcess, id: number) {
  return await eventually(async () => {
    const [attempt] = (await find(app, id)).attempts;
    if (attempt === undefined) throw new Error('no attempt yet');
    return attempt;
  }, 10_000);
}

/** It waits, and was charged no attempt. */
async function waits(app: DispatcherProcess, id: number): Promise<void> {
  await eventually(async () => expect(await find(app, id)).toMatchObject({ state: 'waiting', charged_attempts: 0 }));
}

async function sent(app: DispatcherProcess, id: number): Promise<void> {
  await eventually(async () => expect((await find(app, id)).state).toBe('sent'), 10_000);
}

/** Everything that a job met, from `from` on. */
const refusals = (app: DispatcherProcess, from: number) =>
  app.lines.slice(from).filter(({ message }) => /^job \d+: .*may not be called/.test(message));

describe('a webhook_url that leads inside', () => {
  it('gets nothing and costs no message an attempt, and everything says why and names the remedy', async () => {
    const app = await stage.replica({}, { APP_WEBHOOK_ALLOW: '' });
    const [id = 0] = await stage.database.insertMessages(1);
    const remedy = /127\.0\.0\.1 may not be called: it is not on the internet \(loopback\); .*APP_WEBHOOK_ALLOW/;
    expect(await firstAttempt(app, id)).toMatchObject({
      outcome: 'channel',
      error: expect.stringMatching(remedy) as string,
    });
    await app.logged(new RegExp(`the latest message did not get through: ${remedy.source}`));
    await eventually(async () => expect((await app.get('/scheduler')).text).toMatch(remedy));
    const ready = await app.get('/health/ready');
    expect([ready.status, ready.text]).toEqual([200, expect.stringMatching(/trouble with sending; GET \/scheduler/)]);
    await waits(app, id);

    const { port } = stage.receiver;
    const detours = [
      `http://localhost:${port}/`,
      `http://127.1:${port}/`,
      `http://0x7f.1:${port}/`,
      `http://2130706433:${port}/`,
      `http://017700000001:${port}/`,
      `http://[::ffff:7f00:1]:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://0.0.0.0:${port}/`,
    ];
    for (const url of detours) {
      await app.changeLive(stage.live({ webhook_url: url }));
      const from = app.lines.length;
      await eventually(() => expect([url, refusals(app, from).length > 0]).toEqual([url, true]), 10_000);
    }
    expect(stage.receiver.ledger).toEqual([]);
    await waits(app, id);
  });

  it('is served again, by name or by address, once it is listed', async () => {
    const { port } = stage.receiver;
    const first = await stage.replica({}, { APP_WEBHOOK_ALLOW: 'receiver.internal,10.0.0.0/8' });
    const [id = 0] = await stage.database.insertMessages(1);
    expect(await firstAttempt(first, id)).toMatchObject({ outcome: 'channel' });
    await first.setLive(stage.live({ webhook_url: `http://localhost:${port}/` }));
    await first.end();

    const second = await stage.successor(first, { APP_WEBHOOK_ALLOW: 'LOCALHOST' });
    await sent(second, id);
    await second.changeLive(stage.live());
    const [next = 0] = await stage.database.insertMessages(1);
    expect(await firstAttempt(second, next)).toMatchObject({ outcome: 'channel' });
    await second.end();

    const third = await stage.successor(second, { APP_WEBHOOK_ALLOW: '127.0.0.1/32' });
    await sent(third, next);
    expect(stage.receiver.ledger).toHaveLength(2);
  });
});

describe('a webhook over TLS', () => {
  let ours: Certificates;
  let strangers: Certificates;
  let receiver: RawReceiver;

  beforeAll(() => {
    ours = makeCertificates();
    strangers = makeCertificates();
  });
  afterAll(() => {
    for (const { folder } of [ours, strangers]) rmSync(folder, { recursive: true });
  });
  afterEach(() => receiver.stop());

  const demanding = async (options: TlsOptions = {}) => {
    receiver = await RawReceiver.start({
      cert: readFileSync(ours.cert),
      key: readFileSync(ours.key),
      ca: readFileSync(ours.ca),
      requestCert: true,
      rejectUnauthorized: true,
      ...options,
    });
  };
  const replica = async (env: Readonly<Record<string, string>>) =>
    await stage.replica({ webhook_url: receiver.url }, env);

  it('takes messages when its CA is named and our certificate is shown', async () => {
    await demanding();
    const app = await replica({
      APP_WEBHOOK_CA: ours.ca,
      APP_WEBHOOK_CERT: ours.cert,
      APP_WEBHOOK_KEY: ours.key,
    });
    const ids = await stage.database.insertMessages(2);
    for (const id of ids) await sent(app, id);
    expect(receiver.ledger).toHaveLength(2);
  });

  it.each([
    ['no certificate', () => ({})],
    ['a certificate of somebody else', () => ({ APP_WEBHOOK_CERT: strangers.cert, APP_WEBHOOK_KEY: strangers.key })],
  ])('gets nothing from whoever shows %s', async (_what, files) => {
    await demanding({ maxVersion: 'TLSv1.2' });
    const app = await replica({ APP_WEBHOOK_CA: ours.ca, ...files() });
    const [id = 0] = await stage.database.insertMessages(1);
    expect(await firstAttempt(app, id)).toMatchObject({ outcome: 'channel' });
    await waits(app, id);
    expect(receiver.ledger).toEqual([]);
  });

  it('is not believed with another CA, though NODE_TLS_REJECT_UNAUTHORIZED=0 says to believe anybody', async () => {
    await demanding({ requestCert: false });
    const app = await replica({ APP_WEBHOOK_CA: strangers.ca, NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    const [id = 0] = await stage.database.insertMessages(1);
    expect(await firstAttempt(app, id)).toMatchObject({
      outcome: 'channel',
      error: expect.stringMatching(/certificate/) as string,
    });
    await waits(app, id);
    expect(receiver.ledger).toEqual([]);
  });
});
