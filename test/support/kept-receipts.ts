import type { Cluster, Redis } from 'ioredis';

/** The ids of the messages whose receipts are kept. `keys`: all keys there are; a job's receipts are one hash. */
export async function keptReceipts(redis: Redis | Cluster, keys: readonly string[]): Promise<number[]> {
  const hashes = keys.filter((key) => key.includes(':receipts:'));
  const fields = await Promise.all(hashes.map((key) => redis.hkeys(key)));
  return fields.flat().map(Number);
}

export async function receiptsIn(redis: Redis): Promise<number[]> {
  return await keptReceipts(redis, await redis.keys('*'));
}
