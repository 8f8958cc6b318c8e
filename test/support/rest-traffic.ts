import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

const CALL_MS = 10_000;

/** Callers of the API that never pause for longer than `pauseMs`: some post messages, some read what was sent. */
export class RestTraffic {
  /** The content of every message whose acceptance was confirmed. */
  readonly stored: string[] = [];
  /** What went wrong with a call, each. */
  readonly failures: string[] = [];
  calls = 0;
  private readonly stopping = new AbortController();
  /** A connection for each call, so that each goes where the Service leads at that moment. */
  private readonly agent = new Agent({ pipelining: 0 });
  private readonly callers: Promise<void>[];

  /** `batch` is how many messages each post brings. */
  constructor(
    private readonly origin: string,
    private readonly batch: number,
    private readonly pauseMs: number,
  ) {
    this.callers = [this.repeat(() => this.post()), this.repeat(() => this.post()), this.repeat(() => this.read())];
  }

  /** Resolves when the calls under way have been answered. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.callers);
    await this.agent.destroy();
  }

  private async repeat(call: () => Promise<void>): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.calls += 1;
      try {
        await call();
      } catch (error) {
        this.failures.push(String(error));
      }
      await sleep(this.pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async post(): Promise<void> {
    const number = this.calls;
    const contents = Array.from({ length: this.batch }, (_, index) => `message ${number}.${index}`);
    const body = contents.map((content) => ({ recipient_phone: '+905550000001', content }));
    await this.call('POST', '/messages', 201, JSON.stringify(body));
    this.stored.push(...contents);
  }

  private async read(): Promise<void> {
    await this.call('GET', '/sent?limit=10', 200);
  }

  private async call(method: 'GET' | 'POST', path: string, expected: number, body?: string): Promise<void> {
    const { statusCode, body: reply } = await request(this.origin + path, {
      method,
      dispatcher: this.agent,
      signal: AbortSignal.timeout(CALL_MS),
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    });
    const text = await reply.text();
    if (statusCode !== expected) throw new Error(`${method} ${path} was answered ${statusCode}: ${text}`);
  }
}
