// What the Dockerfile, docker-compose.yml and the examples of settings promise, as far as it can be read from them.

/* oxlint-disable typescript/no-floating-promises -- the test runner waits for its tests */
/* oxlint-disable typescript/no-unsafe-type-assertion -- the packages are installed apart; their types may not be there */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** @param {string} path below the root of the repository */
const read = async (path) => await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

const DOCUMENTED = [
  'APP_ENV=local',
  'APP_DB_URL=postgres://postgres:postgres@db:5432/postgres?sslmode=disable',
  'APP_REDIS_ADDR=redis:6379',
  'APP_REDIS_PASSWORD=',
  'APP_REDIS_DB=0',
  'APP_PORT=:8080',
  'APP_REMOTE_ETCD_ENDPOINTS=["etcd:2379"]',
  'APP_SERVER_READ_TIMEOUT=10',
  'APP_SERVER_WRITE_TIMEOUT=30',
  'APP_SERVER_IDLE_TIMEOUT=60',
  'LOG_LEVEL=info',
  'LOG_ENV=production',
  'SERVICE_NAME=message-dispatcher',
  'GIN_MODE=release',
  'USE_HTTPS=false',
];

/** @typedef {{ image: string, environment?: Record<string, string>, ports?: string[], stop_grace_period?: string }} Service */

const compose = /** @type {{ services: Record<string, Service> }} */ (parse(await read('docker-compose.yml')));
const keys = await read('src/config/static-keys.ts');
const variables = new Set(['APP_ENV', ...Array.from(keys.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g), ([, name]) => name)]);
// The folder is mounted where the image expects it.
variables.delete('APP_CONFIG_DIR');

/** @param {string} text */
const namesIn = (text) => Array.from(text.matchAll(/^([A-Z_]+)=/gm), ([, name]) => name ?? '');

test('the Dockerfile lints', async () => {
  const name = 'dockerfile-utils';
  const { validate } = /** @type {{ validate: (text: string, settings: object) => { message: string }[] }} */ (
    await import(name)
  );
  assert.deepEqual(
    validate(await read('Dockerfile'), { instructionJSONInSingleQuotes: 2, emptyContinuationLine: 2 }),
    [],
  );
});

test('the Dockerfile builds without BuildKit as well', async () => {
  const text = await read('Dockerfile');
  assert.doesNotMatch(text, /^#\s*syntax=|^(?:RUN|ADD) --|^COPY --(?!from=)|<</m);
});

test('the example .env is the documented one, to the letter', async () => {
  const settings = (await read('.env.example')).split('\n').filter((line) => !line.startsWith('#'));
  assert.deepEqual(settings, [...DOCUMENTED, '']);
});

test('docker-compose.yml fits the schema of the Compose Specification', async () => {
  const require = createRequire(import.meta.url);
  const schema = fileURLToPath(
    new URL('schemas/compose.schema.json', `file://${require.resolve('dclint/package.json')}`),
  );
  const { Ajv } =
    /** @type {{ Ajv: new (options: object) => { validate(schema: unknown, data: unknown): boolean, errors: unknown } }} */ (
      require('ajv')
    );
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  /** @type {unknown} */
  const parsed = JSON.parse(
    (await readFile(schema, 'utf8')).replace('https://json-schema.org/draft-07', 'http://json-schema.org/draft-07'),
  );
  assert.ok(ajv.validate(parsed, compose), JSON.stringify(ajv.errors));
});

test('docker-compose.yml hands every static setting to the service, and takes it from .env', () => {
  const { environment = {} } = compose.services['app'] ?? {};
  assert.deepEqual(new Set(Object.keys(environment)), variables);
  for (const [name, value] of Object.entries(environment)) assert.match(value, new RegExp(`^\\$\\{${name}:?-.*\\}$`));
});

test('the examples name only settings that exist', async () => {
  for (const path of [
    '.env.example',
    'deploy/kubernetes/base/settings.env',
    'deploy/kubernetes/overlays/example/settings.env',
  ]) {
    for (const name of namesIn(await read(path))) assert.ok(variables.has(name), `${name} in ${path}`);
  }
});

test('Redis and etcd are published where the tests look for them', () => {
  assert.deepEqual(compose.services['redis']?.ports, ['${PUBLISH_REDIS:-127.0.0.1:6379}:6379']);
  assert.deepEqual(compose.services['etcd']?.ports, ['${PUBLISH_ETCD:-127.0.0.1:2379}:2379']);
});
