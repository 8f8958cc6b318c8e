import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LiveConfig } from '../src/config/live-config.js';
import { webhookAllow } from '../src/config/webhook-allow.js';
import { WebhookTargets } from '../src/config/webhook-targets.js';
import { Connections, type Connection } from '../src/dispatch/connections.js';
import type { Answer, NoAnswer } from '../src/dispatch/delivery.js';
import { EgressGuard } from '../src/dispatch/egress-guard.js';
import { WebhookClient } from '../src/dispatch/webhook.client.js';
import { DnsServer } from './support/dns-server.js';
import { eventually } from './support/eventually.js';
import { accepted, answerOf, RawReceiver } from './support/raw-receiver.js';
import { Receiver } from './support/receiver.js';

const SENDER = {};

const targets = new WebhookTargets({ env: 'production', webhookAllow: webhookAllow.parse('127.0.0.0/8') });

const post = (client: WebhookClient, url: string) =>
  new Promise<Answer | NoAnswer>((resolve) =>
    client.post(
      {
        url,
        authKey: null,
        to: '+905550000001',
        content: 'text',
        idempotencyKey: 'key',
        correlationId: 'id',
        timeoutMs: 5_000,
        mayLeave: () => true,
        sender: SENDER,
      },
      resolve,
    ),
  );

/** A request over a connection of one's own choice. */
async function over({ client }: Connection): Promise<number> {
  const body = JSON.stringify({ to: '+905550000001', content: 'text' });
  const headers = { 'content-type': 'application/json' };
  const { statusCode, body: answer } = await client.request({ path: '/', method: 'POST', headers, body });
  await answer.dump();
  return statusCode;
}

describe('a connection to the webhook', () => {
  it('is closed soon after its last answer, for however long the receiver would keep it', async () => {
    const receiver = await RawReceiver.start();
    receiver.conduct = ({ socket, content }) =>
      socket.write(accepted(content).replace('\r\n', '\r\nkeep-alive: timeout=300\r\n'));
    const client = new WebhookClient(new EgressGuard(targets, null), new LiveConfig([]));
    await post(client, receiver.url);
    await post(client, receiver.url);
    expect(receiver.ledger.map(({ number }) => number)).toEqual([1, 2]);
    await eventually(() => expect(receiver.connections).toBe(0), 6_000);
    await client.onApplicationShutdown();
    await receiver.stop();
  });

  it('carries no request after it was idle for too long, although it is open still', async () => {
    const receiver = await RawReceiver.start();
    receiver.conduct = ({ socket }) => socket.write(answerOf(202, '{}', 'keep-alive: timeout=300\r\n'));
    const connector = new EgressGuard(targets, null).connector();
    const ages = { maxIdleMs: 60_000, maxAgeMs: 600_000 };
    const connections = new Connections(new URL(receiver.url).origin, connector, true, () => undefined, ages);
    // A whole number: sums with broken ones are rounded.
    const now = Math.round(performance.now());
    const first = connections.take(now);
    await over(first);
    connections.putBack(first, true, now);
    const same = connections.take(now + ages.maxIdleMs);
    expect(same).toBe(first);
    connections.putBack(same, true, now);
    const other = connections.take(now + ages.maxIdleMs + 1);
    expect(other).not.toBe(first);
    await over(other);
    expect(receiver.ledger.map(({ number }) => number)).toEqual([1, 1]);
    await connections.destroy();
    await receiver.stop();
  });

  it('goes to where its name leads now, once it has its age', async () => {
    const dns = await DnsServer.start();
    const former = await Receiver.start(0, '127.0.0.2');
    const present = await Receiver.start(former.port, '127.0.0.3');
    dns.name('gateway.test', ['127.0.0.2']);
    const connector = new EgressGuard(targets, null, dns.lookup).connector();
    const ages = { maxIdleMs: 60_000, maxAgeMs: 60_000 };
    const connections = new Connections(`http://gateway.test:${former.port}`, connector, true, () => undefined, ages);
    let now = performance.now();
    const send = async () => {
      const connection = connections.take(now);
      await over(connection);
      connections.putBack(connection, true, now);
      now += 10_000;
    };
    await send();
    dns.name('gateway.test', ['127.0.0.3']);
    // Never idle for long, and within twice the age it moves.
    for (let calls = 0; calls < 14; calls += 1) await send();
    expect(former.ledger.length).toBeLessThanOrEqual(13);
    expect(present.ledger.length).toBeGreaterThan(0);
    await connections.destroy();
    for (const each of [former, present, dns]) await each.stop();
  });
});

describe('descriptors that run out', () => {
  it('make requests wait for each other, and none fails', async () => {
    const receiver = await Receiver.start();
    // In a process of its own, with its own limit, from the build.
    const script = `
      import { LiveConfig } from './dist/src/config/live-config.js';
      import { webhookAllow } from './dist/src/config/webhook-allow.js';
      import { WebhookTargets } from './dist/src/config/webhook-targets.js';
      import { EgressGuard } from './dist/src/dispatch/egress-guard.js';
      import { WebhookClient } from './dist/src/dispatch/webhook.client.js';
      import { openSync } from 'node:fs';
      for (let n = 0; n < 300; n += 1) openSync('/dev/null');
      const targets = new WebhookTargets({ env: 'production', webhookAllow: webhookAllow.parse('127.0.0.0/8') });
      const client = new WebhookClient(new EgressGuard(targets, null), new LiveConfig([]));
      const post = (n) => new Promise((resolve) => client.post({ url: ${JSON.stringify(receiver.url)}, authKey: null,
        to: '+905550000001', content: 'text ' + n, idempotencyKey: 'key', correlationId: 'id', timeoutMs: 20_000,
        mayLeave: () => true, sender: {} }, resolve));
      const replies = await Promise.all(Array.from({ length: 300 }, (_, n) => post(n)));
      console.log(JSON.stringify({ taken: replies.filter((reply) => reply.status === 202).length, ceiling: client.ceiling.size,
        other: replies.find((reply) => reply.status !== 202) ?? null, inFlight: client.requestsInFlight }));
      process.exit(0);`;
    const child = spawn(
      'sh',
      ['-c', 'ulimit -n 400; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await once(child, 'close');
    expect(JSON.parse(printed)).toEqual({
      taken: 300,
      ceiling: expect.any(Number) as number,
      other: null,
      inFlight: 0,
    });
    expect((JSON.parse(printed) as { ceiling: number }).ceiling).toBeLessThan(100);
    expect(receiver.ledger).toHaveLength(300);
    await receiver.stop();
  });
});
