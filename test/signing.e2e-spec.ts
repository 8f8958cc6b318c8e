import { Webhook } from 'standardwebhooks';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { EtcdServer } from './support/etcd-server.js';
import { eventually } from './support/eventually.js';
import { answer, type Received } from './support/receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
const [OLD, NEW] = [secretOf(1), secretOf(2)];
const NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];

/** What a receiver does that has one secret: throws when it does not fit. */
function verify(secret: string, { body, headers }: Received): void {
  const given = Object.fromEntries(NAMES.map((name) => [name, String(headers[name])]));
  expect(new Webhook(secret).verify(body, given)).toEqual(JSON.parse(body));
}

const shownNowhere = async (app: DispatcherProcess) => {
  const replies = await Promise.all([app.get('/config'), app.get('/health/ready'), app.get('/scheduler')]);
  const all = replies.map(({ text }) => text).join() + app.printed.join('\n');
  for (const secret of [OLD, NEW]) expect(all).not.toContain(secret.slice('whsec_'.length));
};

describe('signed requests', () => {
  let stage: Stage;
  let etcd: EtcdServer;

  beforeEach(async () => {
    stage = await Stage.set();
    etcd = await EtcdServer.started();
  });
  afterEach(async () => {
    await stage.strike();
    await etcd.remove();
  });

  const replica = async (live: Readonly<Record<string, unknown>> = {}) =>
    await stage.replica(
      { webhook_auth_key: 'the-key', ...live },
      { APP_REMOTE_ETCD_ENDPOINTS: etcd.url, LOG_LEVEL: 'trace' },
    );

  const next = async (content: string): Promise<Received> => {
    const before = stage.receiver.ledger.length;
    await stage.database.query(`INSERT INTO messages (recipient_phone, content) VALUES ('+905550000001', $1)`, [
      content,
    ]);
    return await eventually(() => {
      const received = stage.receiver.ledger[before];
      if (received === undefined) throw new Error('nothing came yet');
      return received;
    }, 10_000);
  };

  it('come with the next message after a put, from each secret of a rotation, and end with a delete', async () => {
    const app = await replica();
    const unsigned = await next('before');
    expect(Object.keys(unsigned.headers).filter((name) => name.startsWith('webhook-'))).toEqual([]);

    expect((await app.request('PUT', '/config/webhook_signing_secrets', { value: [OLD] })).json()).toMatchObject({
      value: '***',
      source: 'etcd',
    });
    const signed = await next('ğüşiöç 😀 "quoted"\n');
    verify(OLD, signed);
    expect(signed.headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
    expect(signed.headers['webhook-id']).toBe(signed.headers['idempotency-key']);
    expect(Math.abs(Number(signed.headers['webhook-timestamp']) - signed.wallAt / 1000)).toBeLessThan(5);
    expect(signed.headers['x-ins-auth-key']).toBe('the-key');

    await etcd.hands.put('webhook_signing_secrets', `${NEW},${OLD}`);
    await app.logged(/webhook_signing_secrets: "\*\*\*" → "\*\*\*"/);
    const rotating = await next('both');
    verify(NEW, rotating);
    verify(OLD, rotating);
    expect(String(rotating.headers['webhook-signature']).split(' ')).toHaveLength(2);

    await app.request('PUT', '/config/webhook_signing_secrets', { value: NEW });
    const rotated = await next('new');
    verify(NEW, rotated);
    expect(() => verify(OLD, rotated)).toThrow('No matching signature');

    await app.request('DELETE', '/config/webhook_signing_secrets');
    expect((await next('after')).headers['webhook-signature']).toBeUndefined();
    await shownNowhere(app);
  });

  it('keep their id on every attempt, and carry the time of each', async () => {
    const app = await replica({ webhook_signing_secrets: [NEW, OLD], retry_schedule: [1] });
    stage.receiver.behave = answer(500);
    const first = await next('again');
    stage.receiver.behave = answer(202, '{"messageId":"m"}');
    await eventually(() => expect(stage.receiver.ledger).toHaveLength(2), 10_000);
    const second = stage.receiver.ledger[1]!;
    verify(NEW, first);
    verify(NEW, second);
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(Number(second.headers['webhook-timestamp'])).toBeGreaterThan(Number(first.headers['webhook-timestamp']));
    await shownNowhere(app);
  });

  it('go on with the last good secrets when a value does not fit, which is shown to nobody', async () => {
    const app = await replica({ webhook_signing_secrets: OLD });
    verify(OLD, await next('good'));
    const short = NEW.slice(0, 24);
    const refused = await app.request('PUT', '/config/webhook_signing_secrets', { value: [NEW, short] });
    expect([refused.status, refused.json<{ code: string }>().code]).toEqual([422, 'config.invalid_value']);
    expect(refused.text).not.toContain(short.slice('whsec_'.length));
    await etcd.hands.put('webhook_signing_secrets', short);
    await app.logged(/refused from etcd: webhook_signing_secrets must be a list/);
    verify(OLD, await next('still good'));
    expect((await app.get('/config')).text).not.toContain(short.slice('whsec_'.length));
    await shownNowhere(app);
  });
});
