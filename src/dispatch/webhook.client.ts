import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Pool } from 'undici';
import type { Answer, NoAnswer } from './delivery.js';
import { WebhookExchange } from './webhook-exchange.js';

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
}

/**
 * Posts messages to the webhook over kept-alive connections to one origin at a time. Redirects are not followed, and no
 * request is repeated here: what an answer means is decided in `delivery.ts`.
 */
@Injectable()
export class WebhookClient implements OnApplicationShutdown {
  private readonly inFlight = new Set<WebhookExchange>();
  private pool: Pool | null = null;
  private target: { readonly text: string; readonly url: URL } | null = null;

  /**
   * Sends one request and calls `onReply` once, with the answer or with why there is none; it never throws. A callback
   * rather than a promise: this is the hottest line of the service.
   */
  post(request: WebhookRequest, onReply: (reply: Answer | NoAnswer) => void): void {
    const { pool, url } = this.poolFor(request.url);
    const exchange = new WebhookExchange(request.timeoutMs, (ended, reply) => {
      this.inFlight.delete(ended);
      onReply(reply);
    });
    this.inFlight.add(exchange);
    pool.dispatch(
      {
        path: url.pathname + url.search,
        method: 'POST',
        headers: headersOf(request),
        body: JSON.stringify({ to: request.to, content: request.content }),
      },
      exchange,
    );
  }

  get requestsInFlight(): number {
    return this.inFlight.size;
  }

  /** Ends every request in flight at once; those that had left are uncertain. */
  cutAll(reason: string): void {
    for (const exchange of this.inFlight) exchange.giveUp(reason);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool?.destroy();
  }

  private poolFor(text: string): { pool: Pool; url: URL } {
    if (this.pool !== null && this.target?.text === text) return { pool: this.pool, url: this.target.url };
    const url = new URL(text);
    if (this.pool === null || this.target?.url.origin !== url.origin) {
      // What is in flight to the former target may finish.
      this.pool?.close().catch(() => undefined);
      // Deadlines are the exchange's own; these would only fire in steps of half a second.
      this.pool = new Pool(url.origin, { pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
    }
    this.target = { text, url };
    return { pool: this.pool, url };
  }
}

function headersOf(request: WebhookRequest): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'idempotency-key': request.idempotencyKey,
    'x-correlation-id': request.correlationId,
  };
  if (request.authKey !== null) headers['x-ins-auth-key'] = request.authKey;
  return headers;
}
