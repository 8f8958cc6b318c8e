import type { Cluster, Redis } from 'ioredis';

/**
 * The ids of the messages whose receipts are kept. `keys`: all keys there are; a job's receipts are hashes, each value what
 * was written at once.
 */
export async function keptReceipts(redis: Redis | Cluster, keys: readonly string[]): Promise<number[]> {
  const shelves = keys.filter((key) => key.includes(':receipts:'));
  const values = await Promise.all(shelves.map((key) => redis.hvals(key)));
  return values.flat().flatMap((text) => (JSON.parse(text) as [number, ...unknown[]][]).map(([id]) => id));
}

export async function receiptsIn(redis: Redis): Promise<number[]> {
  return await keptReceipts(redis, await redis.keys('*'));
}
