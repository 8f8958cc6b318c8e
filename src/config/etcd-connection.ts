import { setTimeout as sleep } from 'node:timers/promises';
import type { Etcd3, IOptions, IRangeResponse, IWatchResponse, Watcher } from 'etcd3';
import type { StaticSettings } from './static-settings.js';

export type EtcdAccess = Pick<StaticSettings, 'etcdEndpoints' | 'etcdPrefix' | 'etcdAuth' | 'etcdTls'>;

const DEADLINE_MS = 3000;
const CLOSE_MS = 300;
// Thirteen values of at most 1.5 MB each, which is what etcd takes.
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024;

type CallOptions = Exclude<NonNullable<IOptions['defaultCallOptions']>, (...args: never[]) => unknown>;
type Interceptor = NonNullable<CallOptions['interceptors']>[number];
type Call = ReturnType<Interceptor>;
type FaultHandling = NonNullable<IOptions['faultHandling']>;

// Retries and rests are the caller's: the library's own would hide an outage for up to 5 s after its end.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the library calls nothing but `execute`
const NO_POLICY = {
  execute: async (call: (context: object) => unknown) => call({ signal: new AbortController().signal }),
} as unknown as NonNullable<FaultHandling['global']>;

/**
 * One connection to one endpoint: good until its first failure, then to be closed and made anew, because neither
 * the library's watchers nor its login survive all that etcd does. Every call ends within 3 s.
 */
export class EtcdConnection {
  private readonly client: Etcd3;
  private token: string | null = null;
  private watcher: Watcher | null = null;
  private readonly streams = new Set<Call>();

  private constructor(
    library: typeof import('etcd3'),
    private readonly endpoint: string,
    private readonly access: EtcdAccess,
  ) {
    this.client = new library.Etcd3(this.clientOptions());
  }

  /** Connects and logs in, where etcd asks for it. @throws when either fails. */
  static async open(endpoint: string, access: EtcdAccess): Promise<EtcdConnection> {
    // Loaded where etcd is configured and nowhere else: with gRPC it would be a tenth of every start.
    const connection = new EtcdConnection(await import('etcd3'), endpoint, access);
    try {
      await connection.logIn();
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Every key below the prefix, as of one revision, which is at least that of any write that was confirmed before. */
  read(): Promise<IRangeResponse> {
    return this.client.getAll().prefix(this.key('')).exec();
  }

  /** The revision of the key's last write; `0` when there is no such key. */
  async revisionOf(name: string): Promise<string> {
    const { kvs } = await this.client.get(this.key(name)).exec();
    return kvs[0]?.mod_revision ?? '0';
  }

  /** Puts `value`, or deletes the key where it is null, if its revision is still `expected`; null when it is not. */
  async swap(name: string, value: string | null, expected: string): Promise<string | null> {
    const key = this.key(name);
    const write = value === null ? this.client.delete().key(key) : this.client.put(key).value(value);
    const { succeeded, header } = await this.client.if(key, 'Mod', '==', expected).then(write).commit();
    return succeeded ? header.revision : null;
  }

  /** Hands over everything that is written after `revision`. Rejects when that ends, for whatever reason. */
  async follow(revision: string, onEvents: (response: IWatchResponse) => void): Promise<never> {
    const start = String(BigInt(revision) + 1n);
    // Not `create()`: it never rejects, and its listeners would come after the first events.
    const watcher = this.client.watch().prefix(this.key('')).startRevision(start).watcher();
    this.watcher = watcher;
    const impatience = new AbortController();
    const ended = new Promise<never>((_resolve, reject) => {
      watcher.on('data', onEvents);
      watcher.on('error', reject);
      watcher.on('disconnected', (error?: Error) => reject(error ?? new Error('the watch was cut')));
      watcher.on('end', () => reject(new Error('the watch has ended')));
      watcher.on('connected', () => impatience.abort());
    });
    try {
      const patience = sleep(DEADLINE_MS, true, { signal: impatience.signal }).catch(() => false);
      if (await Promise.race([ended, patience])) throw new Error(`no watch within ${DEADLINE_MS} ms`);
      return await ended;
    } finally {
      impatience.abort();
    }
  }

  /** Releases everything within 300 ms, whatever state the connection is in. */
  async close(): Promise<void> {
    if (this.watcher !== null) {
      // The client does not close its watchers, and an ended watch must not be taken for an error of its own.
      this.watcher.on('error', () => undefined);
      const done = this.watcher.cancel().catch(() => undefined);
      await Promise.race([done, sleep(CLOSE_MS, undefined, { ref: false })]);
    }
    const CANCELLED = 1;
    for (const stream of this.streams) stream.cancelWithStatus(CANCELLED, 'closed');
    this.client.close();
  }

  private key(name: string): string {
    return `${this.access.etcdPrefix}/${name}`;
  }

  private async logIn(): Promise<void> {
    const auth = this.access.etcdAuth;
    if (auth === null) return;
    try {
      const { token } = await this.client.auth.authenticate({ name: auth.username, password: auth.password });
      this.token = token;
    } catch (error) {
      // Whoever turns authentication on sets the password first.
      if (!/authentication is not enabled/.test(String(error))) throw error;
    }
  }

  private clientOptions(): IOptions {
    const { etcdTls } = this.access;
    const { protocol, host } = new URL(this.endpoint);
    return {
      hosts: [`${protocol}//${host}`],
      ...(etcdTls === null ? {} : { credentials: tlsCredentials(etcdTls) }),
      // The library's own login opens a connection for each token and never closes it: see `logIn`.
      defaultCallOptions: ({ isStream }) => ({
        interceptors: [isStream ? this.streamInterceptor : this.callInterceptor],
        ...(isStream ? {} : { deadline: Date.now() + DEADLINE_MS }),
      }),
      faultHandling: { host: () => NO_POLICY, global: NO_POLICY },
      grpcOptions: {
        // A cut without a word is noticed after 13 s. etcd takes more frequent pings for an attack.
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': 3000,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        // Otherwise a new connection inherits how long the last one meant to wait.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
        // Otherwise http_proxy in the environment, which Docker puts there by itself, would lead etcd's connections away.
        'grpc.enable_http_proxy': 0,
      },
    };
  }

  private readonly callInterceptor: Interceptor = (options, next) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the class of the type is not exported to us
    const call = next(options) as Call;
    const start = call.start.bind(call);
    call.start = (metadata, listener) => {
      if (this.token !== null) metadata.set('token', this.token);
      start(metadata, listener);
    };
    return call;
  };

  private readonly streamInterceptor: Interceptor = (options, next) => {
    const call = this.callInterceptor(options, next);
    const start = call.start.bind(call);
    call.start = (metadata, listener) => {
      // Without it, a member that lost its cluster leaves a watch open on which nothing ever comes.
      metadata.set('hasleader', 'true');
      start(metadata, listener);
    };
    this.streams.add(call);
    return call;
  };
}

function tlsCredentials(tls: NonNullable<EtcdAccess['etcdTls']>): NonNullable<IOptions['credentials']> {
  const client = tls.key === null || tls.cert === null ? {} : { privateKey: tls.key, certChain: tls.cert };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- gRPC takes null for the system's own certificates
  return { rootCertificate: tls.ca as Buffer, ...client };
}
