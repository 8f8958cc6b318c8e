// npm run test:contract: the checked-in document is that of the build, passes the linter, and the client's types are its own.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { clientTypes, DOCUMENT, documentText, TYPES } from './artefacts.js';
import { builtDocument } from './document.js';

const Report = z.object({ totals: z.object({ errors: z.number(), warnings: z.number(), ignored: z.number() }) });
const HERE = fileURLToPath(new URL('.', import.meta.url));
const REMEDY = 'run `npm run openapi` and commit what it wrote';

void test('docs/openapi.json is the document of the build', async () => {
  assert.equal(await readFile(DOCUMENT, 'utf8'), await documentText(await builtDocument()), REMEDY);
});

void test('test/contract/api.ts holds the types of docs/openapi.json', async () => {
  assert.equal(await readFile(TYPES, 'utf8'), await clientTypes(await readFile(DOCUMENT, 'utf8')), REMEDY);
});

void test('docs/openapi.json passes every recommended rule of the linter, warnings included', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['node_modules/@redocly/cli/bin/cli.js', 'lint', '--max-problems', '20', '--format', 'json', DOCUMENT],
    // No word to anybody about this run.
    {
      cwd: HERE,
      encoding: 'utf8',
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    },
  );
  const said = stdout + stderr;
  assert.equal(status, 0, said);
  assert.deepEqual(Report.parse(JSON.parse(stdout)).totals, { errors: 0, warnings: 0, ignored: 0 }, said);
});
