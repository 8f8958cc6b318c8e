import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What each sabotage replaces in the compiled service. A text that is not found exactly `times` times stops the campaign: then
 * the product has changed, and the sabotage with it.
 * @type {Record<import('./types.js').Sabotage, readonly { file: string, from: string, to: string, times: number }[]>}
 */
const SABOTAGES = {
  // A lease never runs out, so nobody takes over from a replica that was killed.
  lease: [
    {
      file: 'src/scheduler/plan.js',
      from: 'const lapsed = begun.filter((job) => !isEnded(job) && expiry(job) <= now)',
      to: 'const lapsed = []',
      times: 1,
    },
  ],
  // Nobody looks for receipts.
  receipt: [
    {
      file: 'src/dispatch/delivery-receipts.js',
      from: "if (this.redis.status === 'off' || wanted.size === 0)",
      to: "if (this.redis.status === 'off' || wanted.size >= 0)",
      times: 1,
    },
  ],
  // What a former owner of the job writes late is taken.
  fence: [
    {
      file: 'src/messages/message-settlements.js',
      from: 'message.claimed_by = $1 AND message.claim_fence = $2',
      to: 'message.claimed_by = $1 AND $2 > 0',
      times: 1,
    },
  ],
  // What PostgreSQL refuses is taken for an outage: the batch is tried again as it is.
  halving: [
    { file: 'src/dispatch/outcome-batch.js', from: "case 'refused':", to: "case 'refused': throw error;", times: 1 },
  ],
  // That an earlier attempt may have been taken is forgotten when a later one is refused.
  doubt: [
    { file: 'src/dispatch/settle-outcome.js', from: 'if (doubt === null)', to: 'if (doubt !== undefined)', times: 1 },
  ],
  // Retries that are due have the whole of a job's budget.
  share: [
    {
      file: 'src/messages/claim-statements.js',
      from: 'WHEN $7::bool THEN (place + wanted + 1) / 2 - (place + 1) / 2 ELSE',
      to: 'WHEN $7::bool THEN wanted ELSE',
      times: 1,
    },
  ],
};

export const SABOTAGE_NAMES = /** @type {const} */ (['lease', 'receipt', 'fence', 'halving', 'doubt', 'share']);

/**
 * A copy of the built service in `folder`, so that a build made meanwhile changes nothing; with a sabotage, if one is named.
 * @param {string} folder
 * @param {import('./types.js').Sabotage | null} sabotage
 */
export async function copyBuild(folder, sabotage) {
  await mkdir(folder, { recursive: true });
  await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await cp(join(ROOT, 'config'), join(folder, 'config'), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, from, to, times } of sabotage === null ? [] : SABOTAGES[sabotage]) {
    const path = join(folder, 'dist', file);
    const parts = (await readFile(path, 'utf8')).split(from);
    if (parts.length !== times + 1) {
      throw new Error(
        `--sabotage ${sabotage}: ${file} holds the text ${parts.length - 1} times, not ${times}: ${from}`,
      );
    }
    await writeFile(path, parts.join(to));
  }
}
