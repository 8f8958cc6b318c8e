import { SandboxReceiver } from './sandbox-receiver.js';

const SOME_TEXT: unknown = expect.any(String);
const SOME_UUID: unknown = expect.stringMatching(/^[0-9a-f-]{36}$/);

describe('SandboxReceiver', () => {
  const lines: string[] = [];
  let receiver: SandboxReceiver;

  beforeEach(async () => {
    lines.length = 0;
    receiver = await SandboxReceiver.start((line) => lines.push(line));
  });
  afterEach(() => receiver.stop());

  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(receiver.url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  const shown = async (): Promise<unknown> => (await fetch(new URL('/', receiver.url))).json();

  it('accepts a message with 202 and an id of its own', async () => {
    const replies = [];
    for (const content of ['one', 'two']) {
      const response = await post(JSON.stringify({ to: '+905551111111', content }));
      expect(response.status).toBe(202);
      replies.push(await response.json());
    }
    const accepted = { message: 'Accepted', messageId: SOME_UUID };
    expect(replies).toEqual([accepted, accepted]);
    expect(new Set(replies.map((body) => JSON.stringify(body))).size).toBe(2);
  });

  it('logs one line per message, with the phone masked and no content', async () => {
    await post(JSON.stringify({ to: '+905551111111', content: 'secret 🎉' }));
    expect(lines).toEqual(['The sandbox received a message for +90•••••11, 8 characters']);
  });

  it('shows what arrived in clear, newest first', async () => {
    await post(JSON.stringify({ to: '+905551111111', content: 'first' }));
    await post(JSON.stringify({ to: '+905552222222', content: 'second' }), { 'idempotency-key': 'k-2' });
    expect(await shown()).toMatchObject([
      { to: '+905552222222', content: 'second', idempotencyKey: 'k-2' },
      { to: '+905551111111', content: 'first', idempotencyKey: null },
    ]);
  });

  it('remembers the last 100 messages', async () => {
    for (let n = 1; n <= 101; n += 1) await post(JSON.stringify({ to: '+905551111111', content: `${n}` }));
    const newestFirst = Array.from({ length: 100 }, (_, index) => ({ content: `${101 - index}` }));
    expect(await shown()).toMatchObject(newestFirst);
  });

  it.each([
    ['broken JSON', '{"to":', 400, 'sandbox.invalid_body'],
    ['a missing field', '{"to":"+905551111111"}', 400, 'sandbox.invalid_body'],
    ['a field of the wrong type', '{"to":1,"content":"x"}', 400, 'sandbox.invalid_body'],
    ['a body beyond 64 KiB', JSON.stringify({ to: '+90', content: 'x'.repeat(65_536) }), 413, 'sandbox.body_too_large'],
  ])('refuses %s and keeps nothing of it', async (_what, body, status, code) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: SOME_TEXT, code });
    expect(await shown()).toEqual([]);
    expect(lines).toEqual([]);
  });

  it('answers 404 in the error shape elsewhere', async () => {
    const response = await fetch(new URL('/nowhere', receiver.url));
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: SOME_TEXT, code: 'sandbox.not_found' });
  });

  it('frees its port when it stops, also with a connection kept alive', async () => {
    await post(JSON.stringify({ to: '+905551111111', content: 'x' }));
    const { url } = receiver;
    await receiver.stop();
    await receiver.stop();
    await expect(fetch(url, { method: 'POST' })).rejects.toThrow('fetch failed');
  });
});
