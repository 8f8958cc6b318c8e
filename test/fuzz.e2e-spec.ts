import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenApi, Verdict } from './fuzz/types.js';

const RUN_MS = 150_000;
const REQUESTS = 2_400;

jest.setTimeout(RUN_MS + 20_000);

describe('a short run of hostile requests', () => {
  let folder: string;
  let verdict: Verdict;
  let ended: { exitCode: number | null; printed: string };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fuzz-verdict-'));
    const json = join(folder, 'verdict.json');
    const args = `test/fuzz/run.js --requests ${REQUESTS} --seed 7 --json ${json}`;
    const child = spawn(process.execPath, args.split(' '), { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    }
    const impatience = setTimeout(() => child.kill('SIGTERM'), RUN_MS);
    await once(child, 'close');
    clearTimeout(impatience);
    ended = { exitCode: child.exitCode, printed };
    verdict = JSON.parse(await readFile(json, 'utf8').catch(() => '{"failures":[]}')) as Verdict;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('gets no answer that the document does not have, no secret, no 5xx; and the memory stays', () => {
    expect({ exitCode: ended.exitCode, printed: ended.exitCode === 0 ? '' : ended.printed }).toEqual({
      exitCode: 0,
      printed: '',
    });
    expect(verdict.failures).toEqual([]);
    expect(verdict.requests).toBe(REQUESTS);
  });

  it('aims at every operation, and gets through to most: there are successes and refusals of every kind', async () => {
    const { paths } = JSON.parse(await readFile('docs/openapi.json', 'utf8')) as OpenApi;
    const documented = Object.values(paths).flatMap((methods) => Object.values(methods).map((one) => one.operationId));
    expect(Object.keys(verdict.operations)).toEqual(expect.arrayContaining(documented));
    expect(Object.keys(verdict.statuses)).toEqual(
      expect.arrayContaining(['200', '201', '400', '404', '405', '408', '409', '415', '422', '431']),
    );
  });
});
