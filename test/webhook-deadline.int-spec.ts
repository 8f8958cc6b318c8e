import { LiveConfig } from '../src/config/live-config.js';
import { WebhookTargets } from '../src/config/webhook-targets.js';
import { webhookAllow } from '../src/config/webhook-allow.js';
import type { Answer, NoAnswer } from '../src/dispatch/delivery.js';
import { EgressGuard } from '../src/dispatch/egress-guard.js';
import { WebhookClient } from '../src/dispatch/webhook.client.js';
import { eventually } from './support/eventually.js';
import { Receiver } from './support/receiver.js';

const SENDER = {};

const TIMEOUT_MS = 100;

describe('a request whose deadline passes while the process has no processor', () => {
  let receiver: Receiver;
  let client: WebhookClient;

  beforeAll(async () => {
    receiver = await Receiver.start();
    const targets = new WebhookTargets({ env: 'production', webhookAllow: webhookAllow.parse('127.0.0.0/8') });
    client = new WebhookClient(new EgressGuard(targets, null), new LiveConfig([]));
  });
  afterAll(async () => {
    await client.onApplicationShutdown();
    await receiver.stop();
  });

  it('does not leave any more when its connection is there only afterwards', async () => {
    const replied = new Promise<Answer | NoAnswer>((resolve) =>
      client.post(
        {
          url: receiver.url,
          authKey: null,
          to: '+905550000001',
          content: 'text',
          idempotencyKey: 'key',
          correlationId: 'id',
          timeoutMs: TIMEOUT_MS,
          mayLeave: () => true,
          sender: SENDER,
        },
        resolve,
      ),
    );
    // Far enough for the connection to be asked for, and not for its being there to be heard of.
    for (let ticks = 0; ticks < 20; ticks += 1) await new Promise<void>((resolve) => process.nextTick(resolve));
    const blockedUntil = performance.now() + 2 * TIMEOUT_MS;
    while (performance.now() < blockedUntil);

    expect(await replied).toMatchObject({ left: false, error: expect.stringContaining('not connected') as unknown });
    expect(receiver.ledger).toEqual([]);
  });
});

describe('a request whose job may make no more when its connection is there', () => {
  let receiver: Receiver;
  let client: WebhookClient;

  beforeAll(async () => {
    receiver = await Receiver.start();
    const targets = new WebhookTargets({ env: 'production', webhookAllow: webhookAllow.parse('127.0.0.0/8') });
    client = new WebhookClient(new EgressGuard(targets, null), new LiveConfig([]));
  });
  afterAll(async () => {
    await client.onApplicationShutdown();
    await receiver.stop();
  });

  const post = (mayLeave: () => boolean) =>
    new Promise<Answer | NoAnswer>((resolve) =>
      client.post(
        {
          url: receiver.url,
          authKey: null,
          to: '+905550000001',
          content: 'text',
          idempotencyKey: 'key',
          correlationId: 'id',
          timeoutMs: 5_000,
          mayLeave,
          sender: SENDER,
        },
        resolve,
      ),
    );
  const keptBack = { left: false, withdrawn: true };

  it('is kept back by a last look', async () => {
    expect(await post(() => false)).toMatchObject(keptBack);
    expect(receiver.ledger).toEqual([]);
    expect(await post(() => true)).toMatchObject({ status: 202 });
  });

  it('is kept back at once when its job winds down, and one that has left goes on', async () => {
    receiver.behave = receiver.hold;
    const gone = post(() => true);
    await eventually(() => expect(receiver.open).toBe(1));
    const connecting = post(() => true);
    client.withdrawAll(SENDER);
    expect(await connecting).toMatchObject(keptBack);
    receiver.letGo();
    expect(await gone).toMatchObject({ status: 202 });
    expect(receiver.ledger).toHaveLength(2);
  });
});
