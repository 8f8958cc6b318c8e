import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { errors } from 'undici';
import { LiveConfig } from '../config/live-config.js';
import { Connections } from './connections.js';
import { withoutSecrets, type Answer, type NoAnswer } from './delivery.js';
import type { Told } from './redaction.js';
import { credentialsInUrl } from './url-credentials.js';
import { EgressGuard } from './egress-guard.js';
import { isOutOfRoom, RequestCeiling } from './request-ceiling.js';
import { WebhookExchange, WITHDRAWN } from './webhook-exchange.js';
import { VERSION } from '../version.js';
import { WebhookSigner } from './webhook-signature.js';

/** One request to the webhook, before anything is known of its outcome. */
export interface WebhookRequest {
  readonly url: string;
  readonly authKey: string | null;
  readonly to: string;
  readonly content: string;
  readonly idempotencyKey: string;
  readonly correlationId: string;
  /** For the whole exchange: connecting, sending, and the answer with its body. */
  readonly timeoutMs: number;
  /** Asked once more when a connection is there. */
  readonly mayLeave: () => boolean;
  /** Who may withdraw or cut it. */
  readonly sender: object;
}

/** One that waits for another to end. */
interface WaitingRequest {
  readonly sender: object;
  readonly go: () => void;
  readonly giveUp: (reply: NoAnswer) => void;
}

/** So long after an answer out of turn, each request to that origin has a connection of its own. */
const DISTRUST_MS = 600_000;
const USER_AGENT = `message-dispatcher/${VERSION}`;

/**
 * Posts messages to the webhook over kept-alive connections to one origin at a time. Redirects are not followed, and no
 * request is repeated here: what an answer means is decided in `delivery.ts`.
 *
 * HTTP/1.1 ties an answer to its request by nothing but their order on the connection. Bytes that nobody asked for end the
 * connection if they come before the next request leaves on it; if they come after, nothing tells them from its answer.
 * So the first sign of such a receiver ends the sharing of connections.
 */
@Injectable()
export class WebhookClient implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('WebhookClient');
  private readonly signer = new WebhookSigner();
  private readonly credentials = new Credentials();
  private readonly inFlight = new InFlight();
  /** How many requests may be in flight at once on this machine. */
  readonly ceiling = new RequestCeiling();
  private readonly waiting: WaitingRequest[] = [];
  private connections: Connections | null = null;
  private target: { readonly text: string; readonly url: URL } | null = null;
  /** Monotonic; null: connections are kept. */
  private distrustUntil: number | null = null;

  constructor(
    private readonly guard: EgressGuard,
    private readonly live: LiveConfig,
  ) {}

  /**
   * Sends one request and calls `onReply` once, with the answer or with why there is none; it never throws. Keys, recipient and
   * content that the receiver echoes are masked. A callback rather than a promise: this is the hottest line of the service.
   */
  post(request: WebhookRequest, onReply: (reply: Answer | NoAnswer) => void): void {
    const startedAt = performance.now();
    const { connections, url } = this.connectionsFor(request.url);
    const connection = connections.take(startedAt);
    const place = this.inFlight.takePlace();
    const { to, content } = request;
    const body = JSON.stringify({ to, content });
    const secrets = this.live.current.webhookSigningSecrets;
    const headers = this.headersOf(request, body, secrets);
    const { credentials, inUrl } = this.credentials.of(request.url, request.authKey, secrets);
    const { reader } = connection;
    const exchange = new WebhookExchange(request, reader, (reply) => {
      this.inFlight.leave(place);
      connections.putBack(connection, exchange.whole);
      if ('left' in reply && reply.unreadable !== undefined && !exchange.brokeOff && reader.wasUnchecked) {
        this.distrust(connections, 'answers in a way that the HTTP parser refuses, and is read leniently from now on');
      }
      // One that found no room leaves none for the next.
      if ('left' in reply && !reply.left && this.waitsForRoom(reply, request, startedAt, onReply)) return;
      this.waiting.shift()?.go();
      onReply(withoutSecrets(reply, { credentials, inUrl, to, content, signatures: () => signaturesIn(headers) }));
    });
    this.inFlight.enter(place, exchange);
    connection.client.dispatch(
      {
        path: url.pathname + url.search,
        method: 'POST',
        headers,
        body,
      },
      exchange,
    );
  }

  /** Those that wait for room are counted. */
  get requestsInFlight(): number {
    return this.inFlight.size + this.waiting.length;
  }

  onApplicationBootstrap(): void {
    const { byDescriptors } = this.ceiling;
    const { webhookConcurrency } = this.live.current;
    if (byDescriptors === null || byDescriptors >= webhookConcurrency) return;
    this.logger.warn(
      `webhook_concurrency is ${webhookConcurrency}, but the limit of open files leaves room for ${byDescriptors} requests ` +
        'at once, which is what is used: raise that limit (ulimit -n), or lower the setting',
    );
  }

  /** Keeps back every request of `sender` that waits for room or for its connection. */
  withdrawAll(sender: object): void {
    for (const { giveUp } of this.waitingOf(sender)) giveUp(WITHDRAWN);
    for (const exchange of this.inFlight.of(sender)) exchange.withdraw();
  }

  /** Ends every request of `sender` at once; those that had left are uncertain. */
  cutAll(sender: object, reason: string): void {
    for (const { giveUp } of this.waitingOf(sender)) giveUp({ left: false, error: `not connected: ${reason}` });
    for (const exchange of this.inFlight.of(sender)) exchange.giveUp(reason);
  }

  /** Whether each request of `sender` has left, so that it will not be made in vain. */
  allLeft(sender: object): boolean {
    const waits = this.waiting.some((request) => request.sender === sender);
    return !waits && this.inFlight.of(sender).every((exchange) => exchange.hasLeft);
  }

  /** Takes them out. */
  private waitingOf(sender: object): WaitingRequest[] {
    return this.waiting.splice(0).filter((request) => {
      if (request.sender !== sender) this.waiting.push(request);
      return request.sender === sender;
    });
  }

  /**
   * Whether a request that found no descriptor or port for its connection waits until another request has ended. It has not
   * left, and the next one would fare the same: it is neither the message's fault nor the receiver's.
   */
  private waitsForRoom(
    { error }: NoAnswer,
    request: WebhookRequest,
    startedAt: number,
    onReply: (reply: Answer | NoAnswer) => void,
  ): boolean {
    const open = this.inFlight.size;
    const timeoutMs = request.timeoutMs - (performance.now() - startedAt);
    if (open === 0 || timeoutMs <= 0 || !isOutOfRoom(error)) return false;
    this.ceiling.lower(open);
    this.waiting.push({
      sender: request.sender,
      go: () => this.post({ ...request, timeoutMs }, onReply),
      giveUp: onReply,
    });
    return true;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.connections?.destroy();
  }

  private headersOf(request: WebhookRequest, body: string, secrets: readonly string[] | null): Record<string, string> {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      // Firewalls before gateways refuse requests without one.
      'user-agent': USER_AGENT,
      'idempotency-key': request.idempotencyKey,
      'x-correlation-id': request.correlationId,
    };
    if (request.authKey !== null) headers['x-ins-auth-key'] = request.authKey;
    if (secrets === null) return headers;
    return Object.assign(headers, this.signer.sign(secrets, request.idempotencyKey, body, Date.now()));
  }

  private connectionsFor(text: string): { connections: Connections; url: URL } {
    if (this.distrustUntil !== null && performance.now() > this.distrustUntil) this.share();
    if (this.connections !== null && this.target?.text === text) {
      return { connections: this.connections, url: this.target.url };
    }
    const url = new URL(text);
    if (this.target?.url.origin !== url.origin) this.share();
    this.target = { text, url };
    this.connections ??= this.open(url.origin);
    return { connections: this.connections, url };
  }

  private open(origin: string): Connections {
    const connections: Connections = new Connections(
      origin,
      this.guard.connector(),
      this.distrustUntil === null,
      (error) => {
        if (isOutOfTurn(error)) {
          this.distrust(connections, "answers out of turn, so an answer might be taken for another message's");
        }
      },
    );
    return connections;
  }

  private share(): void {
    this.distrustUntil = null;
    this.leaveConnections();
  }

  private distrust(connections: Connections, why: string): void {
    if (connections !== this.connections) return;
    if (this.distrustUntil === null) {
      this.logger.warn(
        `${connections.origin} ${why}: for ${DISTRUST_MS / 60_000} minutes each request has a connection of its own, ` +
          'which is slower. Find out whether the receiver, or a proxy before it, answers a request twice or wrongly',
      );
    }
    this.distrustUntil = performance.now() + DISTRUST_MS;
    this.leaveConnections();
  }

  private leaveConnections(): void {
    // What is in flight may finish.
    this.connections?.close();
    this.connections = null;
  }
}

/**
 * The requests in flight, each in a place of its own that the next one takes when it has left. Not a Set: to make room, a
 * Set that is added to and deleted from copies itself, and what stood in its former selves, here a whole request with its
 * answer, lives on until V8 collects all of the heap.
 */
class InFlight {
  private readonly places: (WebhookExchange | null)[] = [];
  private readonly free: number[] = [];

  get size(): number {
    return this.places.length - this.free.length;
  }

  of(sender: object): WebhookExchange[] {
    return this.places.filter((exchange) => exchange !== null).filter((exchange) => exchange.sender === sender);
  }

  takePlace(): number {
    return this.free.pop() ?? this.places.push(null) - 1;
  }

  enter(place: number, exchange: WebhookExchange): void {
    this.places[place] = exchange;
  }

  leave(place: number): void {
    this.places[place] = null;
    this.free.push(place);
  }
}

/** What an answer may not tell of the settings; the latest list is kept, for each message asks for it. */
class Credentials {
  private url = '';
  private authKey: string | null = null;
  private secrets: readonly string[] | null = null;
  private told: Required<Pick<Told, 'credentials' | 'inUrl'>> = { credentials: [], inUrl: [] };

  of(url: string, authKey: string | null, secrets: readonly string[] | null): Credentials['told'] {
    if (url === this.url && authKey === this.authKey && secrets === this.secrets) return this.told;
    this.url = url;
    this.authKey = authKey;
    this.secrets = secrets;
    const ofSecrets = (secrets ?? []).flatMap((secret) => [secret, secret.replace(/^whsec_/, '')]);
    this.told = { credentials: [...(authKey === null ? [] : [authKey]), ...ofSecrets], inUrl: credentialsInUrl(url) };
    return this.told;
  }
}

function signaturesIn(headers: Readonly<Record<string, string>>): string[] {
  const signatures = headers['webhook-signature']?.split(' ') ?? [];
  return signatures.map((signature) => signature.slice('v1,'.length));
}

/** undici's word for an answer without a request. */
function isOutOfTurn(error: Error): boolean {
  return error instanceof errors.SocketError && error.message === 'bad response';
}
