import { readFileSync } from 'node:fs';
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

/** Paths of PEM files. */
export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const TIMEOUT_MS = 3000;
const status = z.object({ leader: z.string(), header: z.object({ member_id: z.string(), revision: z.string() }) });

/** The hands of an operator: etcd's own JSON interface, so that the tests need neither etcdctl nor our client. */
export class EtcdGateway {
  private password: string | null = null;

  constructor(
    private readonly url: string,
    private readonly tls: EtcdTls | null,
  ) {}

  async healthy(): Promise<void> {
    const answer = await this.send('GET', '/health');
    if (!answer.includes('true')) throw new Error(`etcd is not healthy: ${answer}`);
  }

  async put(key: string, value: string | Uint8Array): Promise<void> {
    await this.call('kv/put', { key: base64(`/app/config/${key}`), value: base64(value) });
  }

  async delete(key: string): Promise<void> {
    await this.call('kv/deleterange', { key: base64(`/app/config/${key}`) });
  }

  async deleteAll(): Promise<void> {
    await this.call('kv/deleterange', { key: base64('/app/config/'), range_end: base64('/app/config0') });
  }

  /** Forgets all history up to now. */
  async compact(): Promise<void> {
    const { header } = await this.status();
    await this.call('kv/compaction', { revision: header.revision, physical: true });
  }

  async isLeader(): Promise<boolean> {
    const { leader, header } = await this.status();
    return leader === header.member_id;
  }

  /** From now on etcd serves `root` with this password only. */
  async enableAuth(password: string): Promise<void> {
    await this.call('auth/user/add', { name: 'root', password });
    await this.call('auth/role/add', { name: 'root' });
    await this.call('auth/user/grant', { user: 'root', role: 'root' });
    await this.call('auth/enable', {});
    this.password = password;
  }

  async disableAuth(): Promise<void> {
    await this.call('auth/disable', {});
    this.password = null;
  }

  private async status(): Promise<z.infer<typeof status>> {
    return status.parse(JSON.parse(await this.call('maintenance/status', {})));
  }

  private async call(path: string, body: object): Promise<string> {
    // Tokens do not outlive etcd, so that every call logs in.
    const token = this.password === null ? {} : { authorization: await this.token(this.password) };
    return this.send('POST', `/v3/${path}`, body, token);
  }

  private async token(password: string): Promise<string> {
    const answer = await this.send('POST', '/v3/auth/authenticate', { name: 'root', password });
    return z.object({ token: z.string() }).parse(JSON.parse(answer)).token;
  }

  private async send(
    method: string,
    path: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { tls } = this;
    const options = { method, headers, agent: false as const, signal: AbortSignal.timeout(TIMEOUT_MS) };
    const pem =
      tls === null ? {} : { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
    const request =
      tls === null
        ? requestHttp(`${this.url}${path}`, options)
        : requestHttps(`${this.url}${path}`, { ...options, ...pem });
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    const answer = await text(response);
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${answer}`);
    return answer;
  }
}

function base64(value: string | Uint8Array): string {
  return Buffer.from(value).toString('base64');
}
