// npm run fuzz -- [options]: fires requests that nobody would send in good faith at a running service with real stores, and says
// whether it kept what it promises. Exits with 1 when it did not, with 2 when there was no verdict.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runWithCleanUp } from '../support/run-with-clean-up.js';
import { preparedBuild } from './build.js';
import { Campaign } from './campaign.js';
import { ApiDocument } from './document.js';
import { Instance } from './instance.js';
import { readOptions } from './options.js';
import { describeVerdict, memoryFailures } from './verdict.js';

const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);

await runWithCleanUp(main);

/** @param {import('../support/run-with-clean-up.js').Undo[]} cleanUps */
async function main(cleanUps) {
  const options = readOptions(process.argv.slice(2));
  const folder = await mkdtemp(join(tmpdir(), 'message-dispatcher-fuzz-'));
  // Root's PostgreSQL runs as another user, who must get through.
  await chmod(folder, 0o755);
  if (!options.keep) cleanUps.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const build = join(folder, 'build');
  await preparedBuild(build, options.sabotage);
  const instance = await Instance.start(folder, build, cleanUps);
  const startedAt = Date.now();
  const document = await (await fetch(`${instance.origin}/swagger/v1/swagger.json`)).json();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the linter of the document vouches for it
  const api = new ApiDocument(/** @type {import('./types.js').OpenApi} */ (document));
  say(`seed ${options.seed}, ${api.targets.length} operations at ${instance.origin}; in ${folder}`);

  const campaign = new Campaign(instance, api, options, say);
  const memory = await campaign.run();
  const failures = [...campaign.failures, ...memoryFailures(memory)];
  const exitCode = await instance.stop();
  if (exitCode !== 0) failures.push({ rule: 'it still ends as it should', what: `SIGTERM ended it with ${exitCode}` });
  failures.push(...instance.failures);
  const { requests, rawConnections, statuses, operations, kinds } = campaign;
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  const verdict = {
    seed: options.seed,
    requests,
    rawConnections,
    statuses,
    operations,
    kinds,
    memory,
    seconds,
    failures,
  };
  say(describeVerdict(verdict));
  if (options.json !== null) await writeFile(options.json, JSON.stringify(verdict, null, 2));
  return failures.length > 0 ? 1 : 0;
}
