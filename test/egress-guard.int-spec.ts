import { LiveConfig } from '../src/config/live-config.js';
import { webhookAllow } from '../src/config/webhook-allow.js';
import { WebhookTargets } from '../src/config/webhook-targets.js';
import type { Answer, NoAnswer } from '../src/dispatch/delivery.js';
import { EgressGuard } from '../src/dispatch/egress-guard.js';
import { WebhookClient } from '../src/dispatch/webhook.client.js';
import { DnsServer } from './support/dns-server.js';
import { accept, Receiver } from './support/receiver.js';

const SENDER = {};

describe('the way to a webhook with a name', () => {
  let dns: DnsServer;
  let receiver: Receiver;
  /** At another address, on the same port: what an attacker wants to reach. */
  let victim: Receiver;
  let client: WebhookClient;

  const open = (allow: string) =>
    new WebhookClient(
      new EgressGuard(
        new WebhookTargets({ env: 'production', webhookAllow: webhookAllow.parse(allow) }),
        null,
        dns.lookup,
      ),
      new LiveConfig([]),
    );

  const post = (hostname: string) =>
    new Promise<Answer | NoAnswer>((resolve) =>
      client.post(
        {
          url: `http://${hostname}:${receiver.port}/webhook`,
          authKey: null,
          to: '+905550000001',
          content: 'text',
          idempotencyKey: 'key',
          correlationId: 'id',
          timeoutMs: 5000,
          mayLeave: () => true,
          sender: SENDER,
        },
        resolve,
      ),
    );

  beforeEach(async () => {
    dns = await DnsServer.start();
    // In this order: nobody else binds to 127.0.0.2, so the port that is free on 127.0.0.1 is free there.
    victim = await Receiver.start(0, '127.0.0.1');
    receiver = await Receiver.start(victim.port, '127.0.0.2');
    client = open('127.0.0.2');
  });

  afterEach(async () => {
    await client.onApplicationShutdown();
    await receiver.stop();
    await victim.stop();
    await dns.stop();
  });

  it('goes to the address that was checked, resolved once for each connection', async () => {
    dns.name('gateway.test', ['127.0.0.2']);
    const connections = new Set<unknown>();
    receiver.behave = (received, response) => {
      connections.add(response.socket);
      void accept(received, response);
    };
    for (let sent = 0; sent < 10; sent += 1) expect(await post('gateway.test')).toMatchObject({ status: 202 });
    expect(receiver.ledger).toHaveLength(10);
    expect(dns.questions).toHaveLength(connections.size);
  });

  it('ends when the name is turned to another address', async () => {
    dns.name('gateway.test', ['127.0.0.2'], ['127.0.0.1']);
    receiver.behave = (received, response) => {
      response.setHeader('connection', 'close');
      void accept(received, response);
    };
    expect(await post('gateway.test')).toMatchObject({ status: 202 });
    expect(await post('gateway.test')).toEqual({
      left: false,
      error: expect.stringMatching(
        /^gateway\.test may not be called: its address 127\.0\.0\.1 .*APP_WEBHOOK_ALLOW$/,
      ) as string,
    });
    expect(dns.questions).toHaveLength(2);
    expect([receiver.ledger.length, victim.ledger.length]).toEqual([1, 0]);
  });

  it('does not go where one of several addresses is forbidden, in whatever order they come', async () => {
    dns.name('gateway.test', ['127.0.0.2', '127.0.0.1'], ['127.0.0.1', '127.0.0.2']);
    expect(await post('gateway.test')).toMatchObject({ left: false });
    expect(await post('gateway.test')).toMatchObject({ left: false });
    expect([receiver.ledger.length, victim.ledger.length]).toEqual([0, 0]);
  });

  it('goes to the one of several allowed addresses that answers', async () => {
    client = open('127.0.0.0/8');
    dns.name('gateway.test', ['127.0.0.3', '127.0.0.2']);
    expect(await post('gateway.test')).toMatchObject({ status: 202 });
    expect(receiver.ledger).toHaveLength(1);
  });

  it('goes to any address of a host that is named', async () => {
    client = open('gateway.test');
    dns.name('gateway.test', ['127.0.0.1']);
    expect(await post('GATEWAY.test')).toMatchObject({ status: 202 });
    expect(victim.ledger).toHaveLength(1);
    dns.name('other.test', ['127.0.0.1']);
    expect(await post('other.test')).toMatchObject({ left: false });
  });

  it('says so when the name does not exist', async () => {
    expect(await post('nowhere.test')).toEqual({ left: false, error: expect.stringContaining('ENOTFOUND') as string });
  });
});
