import { hash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { apiKeys } from './config/api-keys.js';
import { SCOPES } from './required-scope.js';

const USAGE = `usage: npm run make-key -- --name ci --scope send   (scopes: ${SCOPES.join(', ')}; several as read+operate or read,operate)`;

/** Makes an API key: prints the key, which is kept nowhere, and what the service is to be told of it. */
function makeKey(): void {
  const { name, scope, help } = parseArgs({
    options: { name: { type: 'string' }, scope: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  }).values;
  if (help === true) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  if (name === undefined || scope === undefined) throw new Error('--name and --scope are both needed');
  // The beginning tells people, logs and secret scanners what it is.
  const key = `mdk_${randomBytes(32).toString('base64url')}`;
  const entry = `${name}:${scope.split(/[,+]/).join('+')}:${hash('sha256', key)}`;
  const [made, ...more] = apiKeys.safeParse(entry).data ?? [];
  if (made === undefined || more.length > 0) {
    throw new Error('a name is 1 to 32 letters, digits, dots, - and _, and there is no scope beside those below');
  }
  process.stdout.write(
    `The key, shown this once, for whoever calls (Authorization: Bearer …):\n\n    ${key}\n\n` +
      `What the service is told: an entry of APP_API_KEYS, after a comma, or a line of APP_API_KEYS_FILE:\n\n    ${entry}\n`,
  );
}

try {
  makeKey();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exitCode = 1;
}
