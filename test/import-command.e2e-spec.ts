import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { eventually } from './support/eventually.js';
import { TestDatabase } from './support/test-database.js';

const HEADER = 'recipient_phone,content\n';
const PHONE = '+905551111111';
const rows = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `${PHONE},message ${from + index}\n`).join('');

describe('npm run import', () => {
  let database: TestDatabase;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dispatcher-import-'));
    database = await TestDatabase.create();
    const migrating = spawn(process.execPath, ['dist/src/migrate.js'], { env: env(), stdio: 'ignore' });
    await once(migrating, 'exit');
    if (migrating.exitCode !== 0) throw new Error(`the migration ended with ${migrating.exitCode}`);
  });
  afterEach(() => database.query('TRUNCATE messages, imports RESTART IDENTITY'));
  afterAll(async () => {
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const env = () => ({ PATH: process.env['PATH'], APP_ENV: 'production', APP_DB_URL: database.url });
  const start = (...args: string[]) =>
    spawn(process.execPath, ['dist/src/import.js', ...args], { env: env(), stdio: ['ignore', 'pipe', 'pipe'] });
  const run = async (...args: string[]) => {
    const child = start(...args);
    const exit = once(child, 'close');
    const [out, err] = await Promise.all([child.stdout, child.stderr].map(async (stream) => await text(stream)));
    await exit;
    return { code: child.exitCode, out, err };
  };
  const file = async (name: string, content: string) => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const storedCount = async () => await database.value<number>('SELECT count(*) FROM messages');

  it.each([
    ['a.csv', `${HEADER}${PHONE},"a, b"\n${PHONE},c\n`],
    ['a.ndjson', `{"recipient_phone":"${PHONE}","content":"a, b"}\n{"recipient_phone":"${PHONE}","content":"c"}\n`],
  ])('stores the rows of %s once, and says so when asked again', async (name, content) => {
    const path = await file(name, content);
    expect(await run(path)).toMatchObject({ code: 0, out: `${path}: 2 rows stored, 0 refused\n`, err: '' });
    const again = await run(path);
    expect(again).toMatchObject({ code: 0, err: '' });
    expect(again.out).toMatch(/was imported on .*: 2 rows\. --again does it again/);
    expect(await database.query('SELECT content FROM messages ORDER BY id')).toEqual([
      { content: 'a, b' },
      { content: 'c' },
    ]);
    expect(await run(path, '--again')).toMatchObject({ code: 0 });
    expect(await storedCount()).toBe(4);
  });

  it('goes on after kill -9 exactly where its last commit was', async () => {
    // Two commits more than the last kill waits for.
    const count = 500_000;
    const path = await file('large.csv', HEADER + rows(count));
    const committed = () => database.value<number>('SELECT coalesce(max(stored), 0) FROM imports');
    for (const atLeast of [1, 120_000, 240_000]) {
      const child = start(path);
      const exit = once(child, 'exit');
      // Looked at as often as possible: the kill has to hit the middle of the import.
      await eventually(async () => expect(await committed()).toBeGreaterThanOrEqual(atLeast), 60_000);
      child.kill('SIGKILL');
      await exit;
    }
    const before = await storedCount();
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(count);
    const last = await run(path);
    expect(last.code).toBe(0);
    expect(last.out).toMatch(/Going on at line \d+: [1-9]\d* rows are stored already/);
    expect(last.out).toContain(`${count} rows stored, 0 refused`);
    expect(
      await database.query(`SELECT count(*) AS all, count(DISTINCT content) AS different,
        bool_and(content = 'message ' || (rank - 1)) AS ordered
        FROM (SELECT content, row_number() OVER (ORDER BY id) AS rank FROM messages) ranked`),
    ).toEqual([{ all: count, different: count, ordered: true }]);
  });

  it('stores every row once when it is run twice at once', async () => {
    const path = await file('twice.csv', HEADER + rows(50_000));
    const codes = (await Promise.all([run(path), run(path)])).map(({ code }) => code);
    expect(codes).toEqual([0, 0]);
    expect(await storedCount()).toBe(50_000);
  });

  it('stores nothing of a file with a bad row, and tells which', async () => {
    const path = await file('bad.csv', `${HEADER}${rows(2)}${PHONE},\n`);
    const { code, err } = await run(path);
    expect(code).toBe(1);
    expect(err).toContain('line 4: content must not be empty\n');
    expect(await storedCount()).toBe(0);
  });

  it('stores the good rows of such a file when asked to, and tells of the others', async () => {
    const path = await file('some.csv', `${HEADER}${rows(2)}${PHONE},\n${rows(1, 2)}`);
    const { code, out, err } = await run(path, '--mode', 'per-row');
    expect([code, out]).toEqual([2, `${path}: 3 rows stored, 1 refused\n`]);
    expect(err).toBe('line 4: content must not be empty\n');
    expect(await storedCount()).toBe(3);
  });

  it('takes a file with one more row for another file', async () => {
    const path = await file('growing.csv', HEADER + rows(1));
    await run(path);
    await appendFile(path, rows(1, 1));
    expect(await run(path)).toMatchObject({ code: 0, out: `${path}: 2 rows stored, 0 refused\n` });
    expect(await storedCount()).toBe(3);
  });

  it.each([
    ['no file', [], /Name one file/],
    ['a file that is not there', ['/nowhere/a.csv'], /cannot be read/],
    ['a folder', ['src', '--format', 'csv'], /is not a file/],
    ['a format that nobody knows', ['package.json'], /say which with --format/],
    ['an unknown mode', ['a.csv', '--mode', 'some'], /--mode is all-or-nothing or per-row, not some/],
    ['an unknown option', ['a.csv', '--fast'], /--fast/],
  ])('says what is wrong with %s', async (_what, args, message) => {
    const { code, err } = await run(...args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/ at .*:\d+:\d+/);
  });

  it.each([
    ['an empty file', '', /no row/],
    ['a header and nothing else', HEADER, /no row/],
    ['no header', rows(2), /must name the two columns/],
  ])('refuses %s', async (_what, content, message) => {
    const { code, err } = await run(await file('odd.csv', content));
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(await storedCount()).toBe(0);
  });
});
