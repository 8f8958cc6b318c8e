import { eventually } from './eventually.js';
import { RedisServer } from './redis-server.js';

const READY_MS = 20_000;
const PASSWORD = 'of-the-data';
const SENTINEL_PASSWORD = 'of-the-sentinels';

/** A master, a replica of it and three Sentinels that make the replica the master a second after the master is gone. */
export class RedisSentinel {
  private constructor(
    private readonly master: RedisServer,
    private readonly replica: RedisServer,
    private readonly sentinels: readonly RedisServer[],
  ) {}

  /** Addresses alone: nothing runs until `start`. */
  static async prepared(): Promise<RedisSentinel> {
    const login = ['--requirepass', PASSWORD, '--masterauth', PASSWORD];
    const master = await RedisServer.prepared(login);
    const replica = await RedisServer.prepared([...login, '--replicaof', '127.0.0.1', String(master.port)]);
    const watch = [
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 2`,
      `sentinel auth-pass mymaster ${PASSWORD}`,
      'sentinel down-after-milliseconds mymaster 1000',
      'sentinel failover-timeout mymaster 5000',
    ].join('\n');
    const sentinels: RedisServer[] = [];
    for (let count = 0; count < 3; count += 1) {
      sentinels.push(await RedisServer.preparedSentinel(`${watch}\n`, ['--requirepass', SENTINEL_PASSWORD]));
    }
    return new RedisSentinel(master, replica, sentinels);
  }

  /** What a service needs to find it. */
  get env(): Readonly<Record<string, string>> {
    return {
      APP_REDIS_ADDR: `redis-sentinel://${this.sentinels.map(({ address }) => address).join(',')}/mymaster`,
      APP_REDIS_PASSWORD: PASSWORD,
      APP_REDIS_SENTINEL_PASSWORD: SENTINEL_PASSWORD,
    };
  }

  /** What an operator does to the replica, which becomes the master. */
  get hands(): RedisServer['hands'] {
    return this.replica.hands;
  }

  /** Resolves when all know each other and the replica follows. */
  async start(): Promise<void> {
    await this.master.start();
    await this.replica.start();
    await Promise.all(this.sentinels.map((sentinel) => sentinel.start()));
    await eventually(async () => {
      for (const { hands } of this.sentinels) {
        const said = await hands.info('sentinel');
        if (!said.includes('status=ok') || !said.includes('slaves=1,sentinels=3')) throw new Error(said);
      }
      if (!(await this.hands.info('replication')).includes('master_link_status:up')) throw new Error('no replica yet');
    }, READY_MS);
  }

  /** `kill -9` of the master. */
  async killMaster(): Promise<void> {
    await this.master.kill();
  }

  /** `kill -9` of the first Sentinel, the one that clients ask first. */
  async killSentinel(): Promise<void> {
    await this.sentinels[0]?.kill();
  }

  /** Resolves when the replica is the master. */
  async failedOver(): Promise<void> {
    await eventually(async () => {
      if (!(await this.hands.info('replication')).includes('role:master')) throw new Error('it still follows');
    }, READY_MS);
  }

  /** For good: nothing of them is left. */
  async remove(): Promise<void> {
    await Promise.all([this.master, this.replica, ...this.sentinels].map((server) => server.remove()));
  }
}
