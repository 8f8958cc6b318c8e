import { Client, type buildConnector } from 'undici';

/**
 * Kept-alive connections to one origin, each for one request at a time and as many as are taken at once. undici's own pool
 * would look for a free one among all, and tell itself of each that becomes free: a twentieth of what a message costs.
 */
export class Connections {
  private readonly all = new Set<Client>();
  private readonly free: Client[] = [];
  private closed = false;

  /**
   * @param kept whether a connection is used again after its answer
   * @param onBroken called with the reason for which a connection ended
   */
  constructor(
    private readonly origin: string,
    private readonly connect: buildConnector.connector,
    private readonly kept: boolean,
    private readonly onBroken: (reason: Error) => void,
  ) {}

  /** One that is nobody else's until it is put back; it connects with its first request. */
  take(): Client {
    return this.free.pop() ?? this.open();
  }

  /** `usable`: its last answer came whole. One on which something else happened is not used again. */
  putBack(connection: Client, usable: boolean): void {
    if (usable && !this.closed) this.free.push(connection);
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

  private open(): Client {
    const connection = new Client(this.origin, {
      connect: this.connect,
      pipelining: this.kept ? 1 : 0,
      // Deadlines are the exchange's own; these would only fire in steps of half a second.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    connection.on('disconnect', (_origin, _targets, reason) => this.onBroken(reason));
    this.all.add(connection);
    return connection;
  }

  private drop(connection: Client): void {
    this.all.delete(connection);
    // Not before the caller has heard how its request ended.
    setImmediate(() => void connection.destroy().catch(() => undefined));
  }
}
