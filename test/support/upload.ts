import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

export interface UploadReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: { readonly code?: string; readonly [field: string]: unknown };
}

/** A request whose body goes out piece by piece, as the test says. */
export class Upload {
  /** Rejects when the connection ends before a reply. */
  readonly reply: Promise<UploadReply>;

  private constructor(private readonly outgoing: ClientRequest) {
    // The connection may end while pieces still go out; `reply` tells of it.
    outgoing.on('error', () => undefined);
    this.reply = this.read();
    this.reply.catch(() => undefined);
  }

  static begin(url: string, contentType: string): Upload {
    return new Upload(request(url, { method: 'POST', headers: { 'content-type': contentType }, agent: false }));
  }

  /** Resolves when more may be sent, or when nobody listens any more. */
  async send(piece: string): Promise<void> {
    if (this.outgoing.destroyed || this.outgoing.write(piece)) return;
    const settled = new AbortController();
    const either = ['drain', 'close'].map((event) => once(this.outgoing, event, { signal: settled.signal }));
    await Promise.race(either);
    settled.abort();
    await Promise.allSettled(either);
  }

  async end(piece = ''): Promise<UploadReply> {
    this.outgoing.end(piece);
    return await this.reply;
  }

  /** As a client that crashes. */
  breakOff(): void {
    this.outgoing.destroy();
  }

  private async read(): Promise<UploadReply> {
    const [response] = (await once(this.outgoing, 'response')) as [IncomingMessage];
    const body = JSON.parse(await text(response)) as UploadReply['body'];
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  }
}
