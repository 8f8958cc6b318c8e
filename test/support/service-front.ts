import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One address before many, as a Kubernetes Service is: each new connection goes to the next endpoint in turn and stays
 * there. It hears of a change of its endpoints `lagMs` late, as nodes do.
 */
export class ServiceFront {
  private readonly sockets = new Set<Socket>();
  private readonly news = new AbortController();
  private endpoints: readonly string[] = [];
  private turn = 0;

  private constructor(
    private readonly server: Server,
    private readonly lagMs: number,
  ) {}

  static async start(lagMs: number): Promise<ServiceFront> {
    const server = createServer();
    const front = new ServiceFront(server, lagMs);
    server.on('connection', (client) => front.lead(client));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return front;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From `lagMs` later on, new connections go to these origins. */
  announce(origins: readonly string[]): void {
    void sleep(this.lagMs, undefined, { signal: this.news.signal }).then(
      () => (this.endpoints = origins),
      () => undefined,
    );
  }

  async stop(): Promise<void> {
    this.news.abort();
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private lead(client: Socket): void {
    client.on('error', () => undefined);
    const endpoint = this.endpoints[this.turn++ % this.endpoints.length];
    if (endpoint === undefined) return void client.resetAndDestroy();
    const { hostname, port } = new URL(endpoint);
    const pod = connect(Number(port), hostname);
    // What was refused or reset there is reset here: no answer is made up, and nothing is tried again.
    pod.on('error', () => client.resetAndDestroy());
    client.pipe(pod).pipe(client);
    for (const [socket, other] of [
      [client, pod],
      [pod, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
