import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';

const MAX_BODY_BYTES = 65_536;
const KEPT_MESSAGES = 100;
/** What a request in flight gets to finish when the receiver stops. */
const DRAIN_MS = 1_000;

const WireMessage = z.object({ to: z.string().min(1), content: z.string().min(1) });

/** A message as it arrived, in clear. */
export interface SandboxMessage {
  readonly messageId: string;
  readonly receivedAt: string;
  readonly to: string;
  readonly content: string;
  readonly idempotencyKey: string | null;
}

/**
 * A webhook on 127.0.0.1 that accepts everything well-formed and delivers nothing: where messages go in `local` while no
 * webhook is set. `GET /` shows the last 100 in clear, newest first; the log says that one came and not what it said.
 */
export class SandboxReceiver {
  private readonly received: SandboxMessage[] = [];
  private readonly server: Server;

  private constructor(private readonly log: (line: string) => void) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
  }

  /** Resolves once it listens, on a free port. */
  static async start(log: (line: string) => void): Promise<SandboxReceiver> {
    const receiver = new SandboxReceiver(log);
    await once(receiver.server.listen(0, '127.0.0.1'), 'listening');
    return receiver;
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the sandbox receiver is stopped');
    return `http://127.0.0.1:${address.port}/webhook`;
  }

  /** Resolves when the port is free again, at most a second later. May be called again. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    const cut = setTimeout(() => this.server.closeAllConnections(), DRAIN_MS);
    await closed;
    clearTimeout(cut);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (path === '/' && request.method === 'GET') return reply(response, 200, this.received.toReversed());
    if (path !== '/webhook') return refuse(response, 404, 'not_found', 'There are GET / and POST /webhook here');
    if (request.method !== 'POST') return refuse(response, 405, 'method_not_allowed', 'The webhook takes POST');
    const body = await readBody(request);
    if (body === null) {
      return refuse(response, 413, 'body_too_large', `A body has at most ${MAX_BODY_BYTES} bytes`);
    }
    const message = parseMessage(body);
    if (message === null) {
      return refuse(
        response,
        400,
        'invalid_body',
        'The body must be JSON: {"to": "…", "content": "…"}, both non-empty',
      );
    }
    reply(response, 202, { message: 'Accepted', messageId: this.keep(message, request) });
  }

  private keep({ to, content }: z.infer<typeof WireMessage>, request: IncomingMessage): string {
    const messageId = randomUUID();
    const key = request.headers['idempotency-key'];
    const idempotencyKey = typeof key === 'string' ? key : null;
    this.received.push({ messageId, receivedAt: new Date().toISOString(), to, content, idempotencyKey });
    if (this.received.length > KEPT_MESSAGES) this.received.shift();
    this.log(`The sandbox received a message for ${maskPhone(to)}, ${Array.from(content).length} characters`);
    return messageId;
  }
}

function maskPhone(phone: string): string {
  return phone.length < 8 ? '•••••' : `${phone.slice(0, 3)}•••••${phone.slice(-2)}`;
}

/** The whole body, or null when it is too large; what is beyond the limit is read and dropped, so that the reply arrives. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(Buffer.from(chunk));
  }
  return bytes > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString('utf8');
}

function parseMessage(body: string): z.infer<typeof WireMessage> | null {
  try {
    return WireMessage.parse(JSON.parse(body));
  } catch {
    return null;
  }
}

function refuse(response: ServerResponse, status: number, code: string, error: string): void {
  reply(response, status, { error, code: `sandbox.${code}` });
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}
