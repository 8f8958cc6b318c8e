// npm run chaos -- [options]: kills replicas and takes their services away while they send, and then says from the receiver's
// ledger and the database whether every promise was kept. Exits with 1 when one was broken, with 2 when there was no verdict.

import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runWithCleanUp } from '../support/run-with-clean-up.js';
import { copyBuild } from './build.js';
import { runCampaign } from './campaign.js';
import { readOptions } from './options.js';
import { runOrdinary } from './ordinary/campaign.js';
import { judgeOrdinary } from './ordinary/verdict.js';
import { Postgres } from './postgres.js';
import { Redis } from './redis.js';
import { describeAlarms, describeVerdict } from './report.js';
import { judge } from './verdict.js';

const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);

await runWithCleanUp(main);

/** @param {import('../support/run-with-clean-up.js').Undo[]} cleanUps */
async function main(cleanUps) {
  const options = readOptions(process.argv.slice(2));
  const folder = await mkdtemp(join(tmpdir(), 'message-dispatcher-chaos-'));
  // Root's PostgreSQL runs as another user, who must get through.
  await chmod(folder, 0o755);
  if (!options.keep) cleanUps.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const build = join(folder, 'build');
  await copyBuild(build, options.sabotage);
  await mkdir(join(folder, 'redis'));
  const postgres = await Postgres.start(join(folder, 'postgres'), build);
  cleanUps.push(() => postgres.dispose());
  const redis = await Redis.start(join(folder, 'redis'));
  cleanUps.push(() => redis.stop('SIGKILL'));

  say(
    `seed ${options.seed}, ${options.sabotage === null ? 'the build as it is' : `a build without ${options.sabotage}`}; in ${folder}`,
  );
  const verdicts = [];
  for (const policy of options.policies) {
    const startedAt = Date.now();
    const ground = { build, folder, postgres, redis, options, say };
    const { evidence, verdict } = await (options.ordinary === null
      ? crashes(ground, policy)
      : ordinaryLife(ground, policy));
    if (options.keep) await writeFile(join(folder, policy, 'evidence.json'), JSON.stringify(evidence));
    verdicts.push({ ...verdict, seconds: Math.round((Date.now() - startedAt) / 1000) });
    say(describeVerdict(verdict));
    if (verdict.breaches.length > 0) say(describeAlarms(evidence));
  }
  if (options.json !== null) await writeFile(options.json, JSON.stringify({ options, verdicts }, null, 2));
  return verdicts.some(({ breaches }) => breaches.length > 0) ? 1 : 0;
}

/**
 * @param {import('./campaign.js').Ground} ground
 * @param {import('./types.js').Policy} policy
 */
async function crashes(ground, policy) {
  const evidence = await runCampaign(ground, policy);
  return { evidence, verdict: judge(evidence) };
}

/**
 * @param {import('./campaign.js').Ground} ground
 * @param {import('./types.js').Policy} policy
 */
async function ordinaryLife(ground, policy) {
  const evidence = await runOrdinary(ground, policy);
  return { evidence, verdict: judgeOrdinary(evidence) };
}
