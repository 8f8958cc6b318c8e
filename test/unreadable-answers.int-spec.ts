import { LiveConfig } from '../src/config/live-config.js';
import { webhookAllow } from '../src/config/webhook-allow.js';
import { WebhookTargets } from '../src/config/webhook-targets.js';
import type { Answer, NoAnswer } from '../src/dispatch/delivery.js';
import { EgressGuard } from '../src/dispatch/egress-guard.js';
import { WebhookClient } from '../src/dispatch/webhook.client.js';
import { accepted, answerOf, RawReceiver, takeAll, type Conduct, type RawRequest } from './support/raw-receiver.js';

const targets = new WebhookTargets({ env: 'production', webhookAllow: webhookAllow.parse('127.0.0.0/8') });
const HEAD = 'HTTP/1.1 202 Accepted\r\n';
const ID = '{"messageId":"p-1"}';

/** Each part in a packet of its own: the next one leaves when the former has been read, or lies in its buffer. */
function sayInTurn(parts: readonly (string | Buffer)[]): Conduct {
  return ({ socket }) => {
    const [first, ...rest] = parts;
    if (first === undefined || socket.destroyed) return;
    socket.setNoDelay().write(first, () => setTimeout(() => sayInTurn(rest)({ socket } as never), 5));
  };
}

describe('an answer', () => {
  let receiver: RawReceiver;
  let client: WebhookClient;
  let timeoutMs: number;
  const post = async () =>
    await new Promise<Answer | NoAnswer>((resolve) =>
      client.post(
        {
          url: receiver.url,
          authKey: 's3cret/key',
          to: '+905550000001',
          content: 'a text to one person',
          idempotencyKey: 'key',
          correlationId: 'id',
          timeoutMs,
          mayLeave: () => true,
          sender: {},
        },
        resolve,
      ),
    );

  beforeEach(async () => {
    timeoutMs = 3_000;
    receiver = await RawReceiver.start();
    client = new WebhookClient(new EgressGuard(targets, null), new LiveConfig([]));
  });

  afterEach(async () => {
    await client.onApplicationShutdown();
    await receiver.stop();
  });

  const legal: [string, string[]][] = [
    ['after a "continue" that nobody asked for', ['HTTP/1.1 100 Continue\r\n\r\n', answerOf(202, ID)]],
    [
      'after every interim answer there is',
      ['HTTP/1.1 100 C\r\na: b\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\n', answerOf(202, ID)],
    ],
    ['with the same length twice', [`${HEAD}content-length: 19\r\ncontent-length: 19\r\n\r\n`, ID]],
    [
      'with a length and chunks',
      [`${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n13\r\n`, `${ID}\r\n0\r\n\r\n`],
    ],
    ['with lines that end by LF', [`HTTP/1.1 202 Accepted\ncontent-length: 19\n\n${ID}`]],
    ['with a blank in a name', [`${HEAD}x y: z\r\ncontent-length : 19\r\n\r\n${ID}`]],
    ['with a line that is no field', [`${HEAD}no field\r\ncontent-length: 19\r\n\r\n${ID}`]],
    ['with a NUL in a value', [`${HEAD}x: a\0b\r\ncontent-length: 19\r\n\r\n${ID}`]],
    ['with 40 kB of fields', [`${HEAD}${`x: ${'v'.repeat(996)}\r\n`.repeat(40)}content-length: 19\r\n\r\n${ID}`]],
    ['after line breaks that belong to nothing', [`\r\n\r\n${answerOf(202, ID)}`]],
  ];
  it.each(legal)('%s is read, in whichever packets it comes and on every connection', async (_name, parts) => {
    const whole = parts.join('');
    const cuts = [parts, [whole], [whole.slice(0, 7), whole.slice(7)], [whole.slice(0, 24), whole.slice(24)]];
    // What lies in one packet may be cut anywhere on its way.
    if (whole.length < 200) cuts.push(Array.from(whole));
    for (const cut of cuts) {
      receiver.conduct = sayInTurn(cut);
      // The second one comes over a connection whose first answer was no different, if over any.
      for (let time = 0; time < 2; time += 1) expect(await post()).toMatchObject({ status: 202, messageId: 'p-1' });
    }
  });

  const unreadable: [string, Conduct, RegExp][] = [
    ['is no HTTP', sayInTurn(['220 mail.example ESMTP\r\n']), /begins with "220 mail.example ESMTP"$/],
    ['is a body alone', sayInTurn([ID]), /begins with "\{"messageId":"p-1"\}"$/],
    ['is binary', sayInTurn([Buffer.from('00ff16030102', 'hex')]), /status of HTTP/],
    [
      'names two lengths',
      sayInTurn([`${HEAD}content-length: 5\r\ncontent-length: 19\r\n\r\n${ID}`]),
      /begins with "HTTP\/1.1 202/,
    ],
    [
      'has a head of 65 kB',
      sayInTurn([`${HEAD}${`x: ${'v'.repeat(996)}\r\n`.repeat(70)}\r\n`]),
      /longer than 65536 bytes/,
    ],
    [
      'changes the protocol',
      sayInTurn(['HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n']),
      /another protocol/,
    ],
    ['is 1,000 interim answers', sayInTurn(['HTTP/1.1 102 P\r\n\r\n'.repeat(1_000)]), /more than 100 interim/],
    [
      'repeats what it was told',
      sayInTurn(['NO s3cret/key +905550000001 a text to one person\u001b[31m\r\n']),
      /"NO \*\*\* \*\*\* \*\*\* \[31m"$/,
    ],
    ['is long', sayInTurn(['x'.repeat(10_000)]), /"x{120}"$/],
  ];
  it.each(unreadable)('that %s is told from none, and by its first line', async (_name, conduct, told) => {
    receiver.conduct = conduct;
    const reply = await post();
    expect(reply).toMatchObject({ left: true, unreadable: expect.any(String) as string });
    expect(reply).toMatchObject({ error: expect.stringMatching(told) as string });
  });

  it('that is none is told from an unreadable one, as are broken connections', async () => {
    for (const conduct of [sayInTurn(['HTTP/1.1 202 Acc']), sayInTurn([])]) {
      receiver.conduct = (request) => {
        conduct(request);
        setTimeout(() => request.socket.end(), 20);
      };
      expect(await post()).toEqual({
        left: true,
        error: expect.stringMatching(/closed/) as string,
        unreadable: undefined,
      });
    }
    receiver.conduct = ({ socket }) => void socket.resetAndDestroy();
    expect(await post()).toMatchObject({ left: true, unreadable: undefined });
  });

  const cuts: [string, (socket: RawRequest['socket']) => void, RegExp][] = [
    ['is closed', (socket) => void socket.end(), /breaks off: .*closed/],
    ['is reset', (socket) => void socket.resetAndDestroy(), /breaks off: .*(?:closed|RESET)/],
    ['falls silent', () => undefined, /breaks off: no answer within the timeout/],
  ];
  it.each(cuts)('that %s after the status line of a 2xx is unreadable', async (_name, cut, told) => {
    timeoutMs = 500;
    for (const [said, line] of [
      [HEAD, 'HTTP/1.1 202 Accepted'],
      [`${HEAD}content-type: application/json\r\ncontent-le`, 'HTTP/1.1 202 Accepted'],
      [`HTTP/1.1 100 Continue\r\n\r\n${HEAD}`, 'HTTP/1.1 202 Accepted'],
      // Nothing tells that the message was taken.
      ['HTTP/1.1 202 Acc', undefined],
      ['HTTP/1.1 100 Continue\r\n', undefined],
      ['HTTP/1.1 100 Continue\r\n\r\n', undefined],
      ['HTTP/1.1 503 Service Unavailable\r\n', undefined],
    ] as const) {
      // Also where the answers before it were strict, so that its head goes to the parser as it comes.
      receiver.conduct = takeAll;
      expect(await post()).toMatchObject({ status: 202 });
      receiver.conduct = ({ socket }) => socket.write(said, () => setTimeout(() => cut(socket), 30));
      const reply = await post();
      expect(reply).toMatchObject({ left: true });
      expect('left' in reply && reply.unreadable).toBe(line);
      if (line !== undefined) expect(reply).toMatchObject({ error: expect.stringMatching(told) as string });
    }
  });

  it('by the alert of a port that speaks TLS says that nothing was sent', async () => {
    receiver.conduct = sayInTurn([Buffer.from('15030100020246', 'hex')]);
    expect(await post()).toMatchObject({ left: false, error: expect.stringMatching(/https:/) as string });
  });

  it('of another form than those before it on its connection is told, and the following ones are read', async () => {
    receiver.conduct = (request) => {
      if (request.content !== '' && receiver.ledger.length === 1) takeAll(request);
      else request.socket.write(answerOf(202, ID).replaceAll('\r\n', '\n'));
    };
    expect(await post()).toMatchObject({ status: 202 });
    expect(await post()).toMatchObject({ unreadable: 'HTTP/1.1 202 Text' });
    expect(await post()).toMatchObject({ status: 202, messageId: 'p-1' });
    // A "continue" needs no such lesson.
    receiver.conduct = ({ socket }) => void socket.write(`HTTP/1.1 100 Continue\r\n\r\n${accepted('p-2')}`);
    expect(await post()).toMatchObject({ status: 202 });
  });
});
