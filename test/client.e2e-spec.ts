import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './contract/api.js';
import { eventually } from './support/eventually.js';
import { answer } from './support/receiver.js';
import { Stage } from './support/stage.js';

const MESSAGE = { recipient_phone: '+905551111111', content: 'from a generated client' };

/** A client whose every path, parameter, body and reply has the types of docs/openapi.json. */
describe('a TypeScript client generated from the OpenAPI document', () => {
  let stage: Stage;
  let client: Client<paths>;

  beforeAll(async () => {
    stage = await Stage.set();
    const app = await stage.replica(
      { auto_sending: false, rate_limit: 10, max_attempts: 1 },
      { APP_REMOTE_ETCD_ENDPOINTS: new URL(process.env['TEST_ETCD_URL'] ?? '').host, APP_REMOTE_ETCD_PREFIX: prefix() },
    );
    client = createClient<paths>({ baseUrl: app.origin });
  });
  afterAll(() => stage.strike());

  it('starts, sends, and lists what was sent', async () => {
    const { data: stored } = await client.POST('/messages', { body: MESSAGE });
    if (stored === undefined || !('id' in stored)) throw new Error('one message is answered with that message');
    expect(stored).toMatchObject({ ...MESSAGE, sent_status: false, state: 'waiting' });

    const { data: started } = await client.POST('/start', { body: { by: 'a client', reason: 'its test' } });
    expect(started satisfies 'Started' | undefined).toBe('Started');

    await eventually(async () => {
      const { data: sent = [] } = await client.GET('/sent', { params: { query: { limit: 10 } } });
      expect(sent.map(({ id, sent_status: isSent, content }) => ({ id, isSent, content }))).toEqual([
        { id: stored.id, isSent: true, content: MESSAGE.content },
      ]);
    });
    const { data: one } = await client.GET('/messages/{id}', { params: { path: { id: stored.id } } });
    expect(one?.attempts.map(({ outcome }) => outcome)).toEqual(['accepted']);
    const { data: scheduler } = await client.GET('/scheduler');
    expect(scheduler).toMatchObject({ state: 'running', changed_by: 'a client', changed_why: 'its test' });
  });

  it('stores a list and gets a result per item', async () => {
    const { data } = await client.POST('/messages', { body: [MESSAGE, MESSAGE] });
    if (data === undefined || !('results' in data)) throw new Error('a list is answered with results');
    expect(data.results.map(({ index, status }) => ({ index, status }))).toEqual([
      { index: 0, status: 'accepted' },
      { index: 1, status: 'accepted' },
    ]);
  });

  it('retries what failed', async () => {
    stage.receiver.behave = answer(422, 'no');
    const { data: stored } = await client.POST('/messages', { body: MESSAGE });
    if (stored === undefined || !('id' in stored)) throw new Error('one message is answered with that message');
    const { id } = stored;
    await eventually(async () => {
      const { data = [] } = await client.GET('/messages', { params: { query: { state: 'failed' } } });
      expect(data.map((message) => message.id)).toContain(id);
    });
    stage.receiver.behave = answer(202, '{"message":"Accepted","messageId":"from-the-second-try"}');
    const { data: again } = await client.POST('/messages/{id}/retry', {
      params: { path: { id } },
      body: { by: 'a client' },
    });
    expect(again?.state).toBe('waiting');
    await eventually(async () => {
      const { data: message } = await client.GET('/messages/{id}', { params: { path: { id } } });
      expect(message).toMatchObject({ state: 'sent', message_id: 'from-the-second-try' });
    });
    const { error, response } = await client.POST('/messages/{id}/retry', { params: { path: { id } } });
    expect([response.status, error?.code]).toEqual([409, 'messages.already_sent']);
  });

  it('reads and changes a live setting, and learns why one is refused', async () => {
    const { data: changed } = await client.PUT('/config/{key}', {
      params: { path: { key: 'rate_limit' } },
      body: { value: 7 },
    });
    expect(changed).toMatchObject({ key: 'rate_limit', value: 7, source: 'etcd' });
    const { data: config } = await client.GET('/config');
    expect(config?.settings.find(({ key }) => key === 'rate_limit')?.value).toBe(7);
    const { error, response } = await client.PUT('/config/{key}', {
      params: { path: { key: 'rate_limit' } },
      body: { value: 0 },
    });
    expect([response.status, error?.code]).toEqual([422, 'config.invalid_value']);
    const { data: back } = await client.DELETE('/config/{key}', { params: { path: { key: 'rate_limit' } } });
    expect(back).toMatchObject({ value: 10, source: 'file' });
  });

  it('stops', async () => {
    const { data } = await client.POST('/stop', {});
    expect(data satisfies 'Stopped' | undefined).toBe('Stopped');
  });

  it('does not compile against what the document does not have', async () => {
    // @ts-expect-error -- there is no such path
    await client.GET('/nowhere');
    // @ts-expect-error -- there is no such state
    await client.GET('/messages', { params: { query: { state: 'lost' } } });
    // @ts-expect-error -- a message has a recipient
    const { response } = await client.POST('/messages', { body: { content: 'to nobody' } });
    expect(response.status).toBe(400);
  });
});

function prefix(): string {
  return `/client-${process.pid}-${Date.now()}`;
}
