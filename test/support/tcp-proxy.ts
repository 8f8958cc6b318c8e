import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Sees what clients send over one connection, piece by piece as it comes. */
export type Tap = (chunk: Buffer) => void;

/** A TCP way to a server that a test can cut, clog, slow down, lead elsewhere and mend. Its address stays the same. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private readonly forgotten = new WeakSet<Socket>();
  private open = true;
  private swallowing = false;
  private losingReplies = false;
  private delayMs = 0;

  private constructor(
    private readonly server: Server,
    private target: URL,
  ) {}

  /** `tap` is asked for a listener for each connection that a client opens. */
  static async to(target: string, tap: () => Tap = () => () => undefined): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, new URL(target));
    server.on('connection', (client) => proxy.join(client, tap()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** The target's URL with the proxy's address in it. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Resets every connection, and each new one, until `mend`. */
  cut(): void {
    this.open = false;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /**
   * What is on its way, and what is sent from now on, arrives nowhere, and nobody is told: new connections are taken and
   * never answered. Those of this time stay dead for good, also after `mend`, as those of a router that forgot them.
   */
  swallow(): void {
    this.swallowing = true;
    for (const socket of this.sockets) this.forgotten.add(socket.unpipe().resume());
  }

  /** Each piece takes so much longer from the server to the client, on connections that are open as on new ones. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Until `mend`, what is sent arrives, and the connection on which a reply comes is reset instead of bringing it. */
  loseReplies(): void {
    this.losingReplies = true;
  }

  /** New connections go to another server. */
  leadTo(target: string): void {
    this.target = new URL(target);
  }

  mend(): void {
    this.open = true;
    this.swallowing = false;
    this.losingReplies = false;
    this.delayMs = 0;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket, tap: Tap): void {
    client.on('error', () => undefined);
    if (!this.open) return void client.resetAndDestroy();
    if (this.swallowing) {
      this.sockets.add(client.resume());
      this.forgotten.add(client);
      return void client.on('close', () => this.sockets.delete(client));
    }
    const upstream = connect(Number(this.target.port), this.target.hostname);
    upstream.on('error', () => undefined);
    client.on('data', tap);
    client.pipe(upstream);
    this.bringBack(upstream, client);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('close', () => {
        this.sockets.delete(socket);
        if (!this.forgotten.has(socket)) other.destroy();
      });
    }
  }

  private bringBack(upstream: Socket, client: Socket): void {
    let brought = Promise.resolve();
    upstream.on('data', (chunk: Buffer) => {
      if (this.forgotten.has(upstream)) return;
      if (this.losingReplies) return void client.resetAndDestroy();
      const dueAt = performance.now() + this.delayMs;
      const before = brought;
      brought = (async () => {
        await before;
        if (performance.now() < dueAt) await sleep(dueAt - performance.now());
        client.write(chunk);
      })();
    });
  }
}
