import { Client, type ClientConfig } from 'pg';
import { codeOf } from './described-error.js';
import type { DatabaseServer } from './config/database-address.js';
import { READ_ONLY, type PrimaryFinder } from './primary-finder.js';

export interface FollowingClientConfig extends ClientConfig {
  readonly primary: PrimaryFinder;
}

/**
 * A connection to the server that takes writes, whichever of several that is when it connects. It breaks when that server
 * refuses a write, or when another one turned out to be the primary, so that whoever owns it (a pool, a loop) connects anew.
 */
export class FollowingClient extends Client {
  private readonly primary: PrimaryFinder;

  constructor(config: FollowingClientConfig) {
    const { servers, serverTimeoutMs } = config.primary.address;
    super({ ...config, connectionString: servers[0].url, connectionTimeoutMillis: serverTimeoutMs });
    this.primary = config.primary;
  }

  override connect(): Promise<Client>;
  override connect(callback: ((err: Error) => void) | ((err: null, client: Client) => void)): void;
  override connect(callback?: (error: never, client: Client) => void): Promise<Client> | void {
    const connecting = this.connectToPrimary();
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
      return await super.connect();
    } catch (error) {
      this.primary.forget(server);
      throw error;
    }
  }

  private watch(server: DatabaseServer): void {
    const { connection } = this;
    const unfollow = this.primary.follow((primary) => primary !== server && this.break());
    connection.on('errorMessage', (error: unknown) => {
      if (codeOf(error) !== READ_ONLY) return;
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

  private break(): void {
    this.connection.stream.destroy();
  }
}
