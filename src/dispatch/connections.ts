import { Client, type buildConnector } from 'undici';
import { AnswerReader, MAX_HEAD_BYTES } from './answer-reader.js';

/** A connection, perhaps still to be made, that is nobody else's while it is taken. */
export interface Connection {
  readonly client: Client;
  readonly reader: AnswerReader;
  /** Monotonic: when it was last put back, and from when on it is not used again. */
  freeSince: number;
  readonly endsAt: number;
}

/** How long a connection may be used. */
export interface ConnectionAges {
  readonly maxIdleMs: number;
  readonly maxAgeMs: number;
}

/**
 * Idle: what lies between forgets connections sooner than it says, and a receiver may close one in the very moment in which
 * a request leaves; nothing needs a connection from one slot to the next. Long enough for an interval of 1 s.
 * Age: a name that leads elsewhere counts within two minutes, also under load.
 */
const AGES: ConnectionAges = { maxIdleMs: 1_500, maxAgeMs: 60_000 };

/**
 * Kept-alive connections to one origin, each for one request at a time and as many as are taken at once. undici's own pool
 * would look for a free one among all, and tell itself of each that becomes free: a twentieth of what a message costs.
 */
export class Connections {
  private readonly all = new Set<Client>();
  /** The one that was put back last at the end, so that the others grow idle and go. */
  private readonly free: Connection[] = [];
  private closed = false;

  /**
   * @param kept whether a connection is used again after its answer
   * @param onBroken called with the reason for which a connection ended
   */
  constructor(
    readonly origin: string,
    private readonly connect: buildConnector.connector,
    private readonly kept: boolean,
    private readonly onBroken: (reason: Error) => void,
    private readonly ages: ConnectionAges = AGES,
  ) {}

  /** One that is nobody else's until it is put back; it connects with its first request. */
  take(now = performance.now()): Connection {
    const last = this.free.pop();
    if (last === undefined) return this.open(now);
    if (now - last.freeSince <= this.ages.maxIdleMs) {
      last.reader.begin();
      return last;
    }
    // The others are free for longer still.
    for (const connection of [last, ...this.free.splice(0)]) this.drop(connection);
    return this.open(now);
  }

  /** `usable`: its last answer came whole. One on which something else happened, or that is too old, is not used again. */
  putBack(connection: Connection, usable: boolean, now = performance.now()): void {
    connection.freeSince = now;
    if (usable && !this.closed && now < connection.endsAt) this.free.push(connection);
    else this.drop(connection);
  }

  /** Ends what is free now, and the others when their answers have come. */
  close(): void {
    this.closed = true;
    for (const connection of this.free.splice(0)) this.drop(connection);
  }

  /** Ends all of them at once. */
  async destroy(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.all].map((connection) => connection.destroy()));
  }

  private open(now: number): Connection {
    const { maxIdleMs, maxAgeMs } = this.ages;
    const reader = new AnswerReader();
    reader.begin();
    const client = new Client(this.origin, {
      connect: (options, done) =>
        this.connect(options, (...connected) => {
          // Not by the socket: with an error it may be undefined, whatever its type says.
          if (connected[0] === null) reader.watch(connected[1]);
          done(...connected);
        }),
      maxHeaderSize: MAX_HEAD_BYTES,
      pipelining: this.kept ? 1 : 0,
      // Whatever the receiver promises with `Keep-Alive: timeout=…`.
      keepAliveTimeout: maxIdleMs,
      keepAliveMaxTimeout: maxIdleMs,
      // Deadlines are the exchange's own; these would only fire in steps of half a second.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    client.on('disconnect', (_origin, _targets, reason) => this.onBroken(reason));
    this.all.add(client);
    // Up to twice the age, so that those that were opened at once do not all end at once.
    return { client, reader, freeSince: now, endsAt: now + maxAgeMs * (1 + Math.random()) };
  }

  private drop({ client }: Connection): void {
    this.all.delete(client);
    // Not before the caller has heard how its request ended.
    setImmediate(() => void client.destroy().catch(() => undefined));
  }
}
