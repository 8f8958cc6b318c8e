import { connect } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import type { DatabaseServer } from './config/database-address.js';
import { noteUnconnected } from './database-outage.js';
import { codeOf, isError } from './described-error.js';
import { isRaisedByFunction } from './postgres-error.js';
import { READ_ONLY, type PrimaryFinder } from './primary-finder.js';

const CANCEL_REQUEST_CODE = 80_877_102;
const CANCEL_WITHIN_MS = 2_000;

declare module 'pg' {
  interface Client {
    /** What is sent at the connect; node-postgres has it, its types do not. */
    getStartupConf(): Record<string, string>;
  }
}

export interface FollowingClientConfig extends ClientConfig {
  readonly primary: PrimaryFinder;
  /** How long the server may take to answer a query, in milliseconds; 0 or none: as long as it likes. */
  readonly query_timeout?: number;
  /** SQL that each new connection runs first. Not for a pooler that hands connections on after each transaction. */
  readonly session?: string | undefined;
}

/**
 * A connection to the server that takes writes, whichever of several that is when it connects. It breaks when that server
 * refuses a write, or when another one turned out to be the primary, so that whoever owns it (a pool, a loop) connects anew.
 * It breaks as well when the server does not answer a query within `query_timeout`, and has the server end that query.
 */
export class FollowingClient extends Client {
  private readonly primary: PrimaryFinder;
  private readonly session: string | null;

  constructor({ primary, query_timeout: answerWithinMs = 0, session, ...config }: FollowingClientConfig) {
    const { servers, serverTimeoutMs } = primary.address;
    super({ ...config, connectionString: servers[0].url, connectionTimeoutMillis: serverTimeoutMs });
    this.primary = primary;
    this.session = session ?? null;
    if (answerWithinMs > 0) this.boundAnswers(answerWithinMs);
  }

  /**
   * node-postgres reads dates in ISO form alone, whatever the database, the role or postgresql.conf say. Not by a `SET`: a
   * pooler that hands connections on remembers what came at the connect.
   */
  override getStartupConf(): Record<string, string> {
    return { ...super.getStartupConf(), DateStyle: 'ISO, MDY' };
  }

  override connect(): Promise<Client>;
  override connect(callback: ((err: Error) => void) | ((err: null, client: Client) => void)): void;
  override connect(callback?: (error: never, client: Client) => void): Promise<Client> | void {
    const connecting = this.connectToPrimary().catch((error: unknown) => {
      noteUnconnected(error);
      throw error;
    });
    if (callback === undefined) return connecting;
    // The types of node-postgres know two callbacks; pg-pool passes one that takes either.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const tell = callback as (error: unknown, client?: Client) => void;
    connecting.then(
      (client) => tell(null, client),
      (error: unknown) => tell(error),
    );
  }

  private async connectToPrimary(): Promise<Client> {
    const server = await this.primary.find();
    if (server.at !== null) Object.assign(this, server.at);
    this.watch(server);
    try {
      const client = await super.connect();
      if (this.session !== null) await this.query(this.session);
      return client;
    } catch (error) {
      this.primary.forget(server);
      throw error;
    }
  }

  private watch(server: DatabaseServer): void {
    const { connection } = this;
    const unfollow = this.primary.follow((primary) => primary !== server && this.break());
    connection.on('errorMessage', (error: unknown) => {
      // A function that raises it says nothing of the server.
      if (!isError(error) || codeOf(error) !== READ_ONLY || isRaisedByFunction(error)) return;
      this.primary.forget(server);
      // Not before the statement has got its error.
      setImmediate(() => this.break());
    });
    this.on('error', () => this.primary.forget(server));
    connection.once('end', () => {
      unfollow();
      // Given up in the middle of a statement: the server may hang.
      if (!connection.stream.writableEnded) this.primary.forget(server);
    });
  }

  /**
   * One timer for the connection. node-postgres's own `query_timeout` sets one for each query, through which V8 keeps the
   * rows of answered queries: a quarter of the time that large answers take goes into collecting them.
   */
  private boundAnswers(withinMs: number): void {
    let asked = false;
    let overdue = false;
    const deadline = setTimeout(() => {
      overdue = asked;
      // Timers come before sockets in a turn: after a moment without a processor the answer may be there, and unread.
      setImmediate(() => overdue && this.giveUp());
    }, withinMs).unref();
    const ask = super.query.bind(this);
    // The overloads of `query` are too many to be repeated, and all of them pass through here.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    this.query = ((...query: Parameters<typeof ask>) => {
      asked = true;
      overdue = false;
      deadline.refresh();
      return ask(...query);
    }) as typeof this.query;
    this.on('drain', () => {
      asked = false;
      overdue = false;
    });
  }

  private giveUp(): void {
    cancel(this);
    this.break(new Error('Query read timeout'));
  }

  private break(error?: Error): void {
    this.connection.stream.destroy(error);
  }
}

/**
 * Has the server end the statement of a connection that is given up: a CancelRequest, on a connection of its own
 * (https://www.postgresql.org/docs/current/protocol-flow.html, "Canceling Requests in Progress"). A server that waits for a
 * lock does not notice that nobody waits for its answer: it would go on waiting, hold what it has locked, and each new try
 * would take one more of its connections.
 */
function cancel(client: Client): void {
  const { host, port } = client;
  // The types do not know what the server gave at connect.
  const processId = 'processID' in client ? Number(client.processID) : NaN;
  const secretKey = 'secretKey' in client ? Number(client.secretKey) : NaN;
  if (!Number.isInteger(processId) || !Number.isInteger(secretKey)) return;
  const request = Buffer.alloc(16);
  request.writeInt32BE(request.length, 0);
  request.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  request.writeInt32BE(processId, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.setTimeout(CANCEL_WITHIN_MS, () => socket.destroy());
  // Whether it arrives or not, the connection is given up.
  socket.on('error', () => undefined);
  socket.end(request);
  socket.unref();
}
