import { execFileSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { Cluster } from 'ioredis';
import { eventually } from './eventually.js';
import { RedisServer } from './redis-server.js';
import { serverPort } from './server-port.js';

const REDIS = process.env['TEST_REDIS_SERVER_BIN'] ?? 'redis-server';
const REDIS_CLI = REDIS === basename(REDIS) ? 'redis-cli' : join(dirname(REDIS), 'redis-cli');
const READY_MS = 20_000;

/** A Redis Cluster of three masters without replicas, made by redis-cli. */
export class RedisCluster {
  private constructor(private readonly nodes: readonly RedisServer[]) {}

  static async started(): Promise<RedisCluster> {
    const nodes: RedisServer[] = [];
    const places: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const bus = await serverPort();
      const settings = `--cluster-enabled yes --cluster-port ${bus} --cluster-node-timeout 2000`.split(' ');
      const node = await RedisServer.started(settings);
      nodes.push(node);
      places.push(`${node.address}@${bus}`);
    }
    execFileSync(REDIS_CLI, ['--cluster', 'create', ...places, '--cluster-yes'], { stdio: 'pipe' });
    const cluster = new RedisCluster(nodes);
    await cluster.complete();
    return cluster;
  }

  /** As `APP_REDIS_ADDR` takes it. */
  get address(): string {
    return `redis-cluster://${this.nodes.map(({ address }) => address).join(',')}`;
  }

  /** A client of the whole cluster, to be disconnected. */
  connect(): Cluster {
    const cluster = new Cluster(this.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
    cluster.on('error', () => undefined);
    return cluster;
  }

  /** Every key of every node. */
  async keys(pattern: string): Promise<string[]> {
    return (await Promise.all(this.nodes.map(({ hands }) => hands.keys(pattern)))).flat();
  }

  /** `kill -9` of every node; what they held is gone, what they know of each other is not. */
  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /** Starts every node again; resolves when the cluster serves all keys. */
  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
    await this.complete();
  }

  /** For good: nothing of it is left. */
  async remove(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()));
  }

  private async complete(): Promise<void> {
    await eventually(async () => {
      for (const { hands } of this.nodes) {
        const said = await hands.cluster('INFO');
        if (!said.includes('cluster_state:ok')) throw new Error(said);
      }
    }, READY_MS);
  }
}
