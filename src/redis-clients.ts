import { ClusterModule, RedisModule } from '@liaoliaots/nestjs-redis';
import type { DynamicModule } from '@nestjs/common';
import type { EventEmitter } from 'node:events';
import type { StaticSettings } from './config/static-settings.js';

const retryAfterMs = (tries: number) => Math.min(100 * 2 ** tries, 2_000);

const RECONNECT_EVERY_MS = 2_000;

const QUIET = { readyLog: false, errorLog: false };

// ioredis prints errors that nobody listens to, and RedisConnection, which tells of them, may not exist yet.
const onClientCreated = (client: EventEmitter) => client.on('error', () => undefined);

const CONNECTION = {
  maxRetriesPerRequest: 0,
  // A connection on which nobody answers any more is given up; keep-alive alone would not notice for hours.
  socketTimeout: 5_000,
  connectTimeout: 2_000,
  keepAlive: 10_000,
};

/** Redis is optional: without an address there is no client, and with one that does not answer the service starts all the same. */
export function redisClients(redis: StaticSettings['redis']): DynamicModule[] {
  if (redis === null) return [];
  const { nodes, username, password, db } = redis;
  const connection = {
    ...CONNECTION,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(redis.tls ? { tls: {} } : {}),
  };
  // A command while Redis is away fails at once rather than wait for it.
  const client = { enableOfflineQueue: false, onClientCreated };
  if (redis.mode === 'cluster') {
    const config = {
      ...client,
      nodes: [...nodes],
      redisOptions: connection,
      clusterRetryStrategy: retryAfterMs,
      slotsRefreshTimeout: 2_000,
      // Certificates hold names, and ioredis would connect to the addresses that it looked up.
      ...(redis.tls ? { dnsLookup: keepName } : {}),
    };
    return [ClusterModule.forRoot({ ...QUIET, config })];
  }
  const config = { ...client, ...connection, db, retryStrategy: retryAfterMs };
  if (redis.mode === 'single') {
    return [RedisModule.forRoot({ ...QUIET, config: { ...config, ...nodes[0], reconnectOnError: leadsElsewhere() } })];
  }
  return [
    RedisModule.forRoot({
      ...QUIET,
      config: {
        ...config,
        sentinels: [...nodes],
        name: redis.masterName,
        ...(redis.sentinelPassword === null ? {} : { sentinelPassword: redis.sentinelPassword }),
        ...(redis.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
        sentinelRetryStrategy: retryAfterMs,
        sentinelCommandTimeout: 2_000,
        // A master that was replaced may live on. Not `failoverDetector`: Sentinels hear of a failover one after another, and it
        // would leave the new master again when the last one has heard.
        reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
      },
    }),
  ];
}

/**
 * Behind one address another server may have become the master: connecting anew may lead there. Not at each refusal, since
 * every new connection is written to at once, and the address may lead to the same server for a while.
 */
function leadsElsewhere(): (error: Error) => boolean {
  let lastAt = -Infinity;
  return ({ message }) => {
    const now = performance.now();
    if (!/^(READONLY|LOADING|MASTERDOWN)/.test(message) || now - lastAt < RECONNECT_EVERY_MS) return false;
    lastAt = now;
    return true;
  };
}

function keepName(name: string, tell: (error: null, address: string) => void): void {
  tell(null, name);
}
