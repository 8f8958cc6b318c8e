import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { StaticSettings } from '../src/config/static-settings.js';
import { replyFor } from '../src/error-mapping.js';
import { CopyRows } from '../src/import/copy-rows.js';
import { CsvFormat } from '../src/import/csv-format.js';
import { importFile } from '../src/import/import-command.js';
import type { ImportMode, ImportReport } from '../src/import/import-report.js';
import { MessageImport } from '../src/import/message-import.js';
import { StagedRows } from '../src/import/staged-rows.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

const PHONE = '+905551111111';
const HEADER = 'recipient_phone,content\n';
const never = new AbortController().signal;
const csv = (contents: readonly string[]) => HEADER + contents.map((content) => `${PHONE},${content}\n`).join('');

/** A trigger that raises, one that keeps out, one that objects at the commit, and a constraint. */
const OBJECTIONS = `
  CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF new.content LIKE 'raised%' THEN RAISE EXCEPTION 'no % for %', new.content, new.recipient_phone; END IF;
    IF new.content LIKE 'dropped%' THEN RETURN NULL; END IF;
    RETURN new;
  END $$;
  CREATE FUNCTION object_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF new.content LIKE 'late%' THEN RAISE EXCEPTION 'late'; END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER objects BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION object();
  CREATE CONSTRAINT TRIGGER objects_late AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION object_late();
  ALTER TABLE messages ADD CONSTRAINT no_checks CHECK (content NOT LIKE 'checked%');`;

/** 2,000 rows of which the database refuses four, and one is no message. Their lines are the keys; the header is line 1. */
const WRONG: Readonly<Record<number, string>> = {
  17: 'raised one',
  500: 'dropped',
  501: '',
  1_200: 'late',
  2_001: 'checked',
};
const FILE = Array.from({ length: 2_000 }, (_, index) => WRONG[index + 2] ?? `good ${index + 2}`);
const GOOD = FILE.filter((content) => content.startsWith('good'));

describe('an import row by row, of rows that the database refuses', () => {
  let migrated: MigratedDatabase;
  let folder: string;
  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    folder = await mkdtemp(join(tmpdir(), 'refused-rows-'));
    await migrated.database.query(OBJECTIONS);
  });
  afterEach(() => migrated.database.query('TRUNCATE messages, imports'));
  afterAll(async () => {
    await migrated.drop();
    await rm(folder, { recursive: true });
  });

  const contents = async () =>
    (await migrated.database.query<{ content: string }>('SELECT content FROM messages ORDER BY id')).map(
      ({ content }) => content,
    );
  const send = async (file: string, mode: ImportMode): Promise<unknown> => {
    const settings = Object.assign(new StaticSettings(), {
      dbUrl: migrated.database.url,
      dbDirectUrl: null,
      serverReadTimeoutMs: 10_000,
      importMaxBytes: 10_000_000,
      importMaxRows: 100_000,
    });
    return await new MessageImport(settings)
      .store(Readable.from([Buffer.from(file)]), new CsvFormat(), mode, never)
      .catch((error: unknown) => replyFor(error, 'POST'));
  };

  it('stores all others in their order, and tells each of those by its line, without its text', async () => {
    const { faults, ...report } = (await send(csv(FILE), 'per-row')) as ImportReport;
    expect(report).toEqual({ mode: 'per-row', rows: 2_000, stored: 1_995, refused: 5, faults_left_out: 0 });
    expect(faults).toEqual([
      { line: 17, field: '', reason: 'is refused by PostgreSQL (SQLSTATE P0001, function object)' },
      { line: 500, field: '', reason: expect.stringMatching(/^is kept out of the table/) as unknown },
      { line: 501, field: 'content', reason: 'must not be empty' },
      { line: 1_200, field: '', reason: expect.stringContaining('function object_late') as unknown },
      { line: 2_001, field: '', reason: expect.stringContaining('constraint no_checks') as unknown },
    ]);
    expect(await contents()).toEqual(GOOD);
  });

  it('stores nothing when all or nothing was asked for, when none is taken, or when very many are refused', async () => {
    expect(await send(csv(FILE.filter((content) => content !== '')), 'all-or-nothing')).toMatchObject({
      status: 422,
      body: { code: 'database.refused' },
    });
    expect(await send(csv(['late', 'late', 'raised']), 'per-row')).toMatchObject({
      status: 422,
      body: { code: 'database.refused' },
    });
    const many = Array.from({ length: 1_001 }, (_, index) => `raised ${index}`);
    const reply = await send(csv(['good', ...many, 'good']), 'per-row');
    expect(reply).toMatchObject({
      status: 422,
      body: { code: 'import.refused_by_database', faults: [{ line: 3 }] },
    });
    expect(JSON.stringify(reply)).toMatch(
      /more than 1000 rows, so none of them was stored; the first, of line 3, is refused/,
    );
    expect(JSON.stringify(reply)).not.toMatch(/raised|\+905/);
    expect(await contents()).toEqual([]);
  });

  it('knows the lines of rows that did not stay in memory', async () => {
    const staged = await StagedRows.open(migrated.database.url, 0);
    const rows = new CopyRows();
    for (const batch of [0, 1, 2]) {
      for (let n = 1; n <= 10; n += 1) rows.add(PHONE, n === 5 ? 'raised' : `good ${batch} ${n}`, batch * 100_000 + n);
      await staged.add(rows.takeAll());
    }
    const refusal: unknown = await staged.publish(30, never).catch((error: unknown) => error);
    const refused = await staged.publishWhatIsTaken(refusal, never);
    await staged.discard();
    expect(refused.map(({ line }) => line)).toEqual([5, 100_005, 200_005]);
    expect((await contents()).filter((text) => text.startsWith('good'))).toHaveLength(27);
  });

  it('is the same by command, which notes what it refused with the position', async () => {
    const path = join(folder, 'file.csv');
    await writeFile(path, csv(FILE));
    const [said, complained]: [string[], string[]] = [[], []];
    const wish = { path, mode: 'per-row', format: undefined, again: false } as const;
    const url = migrated.database.url;
    expect(
      await importFile(
        wish,
        url,
        (line) => said.push(line),
        (line) => complained.push(line),
      ),
    ).toBe(2);
    expect(said.at(-1)).toBe(`${path}: 1995 rows stored, 5 refused`);
    expect(complained.map((line) => line.slice(0, 10))).toEqual(
      expect.arrayContaining(['line 17: i', 'line 500: ', 'line 501: ', 'line 1200:', 'line 2001:']),
    );
    expect(await contents()).toEqual(GOOD);
    expect(await migrated.database.query('SELECT stored, refused, finished_at IS NULL AS open FROM imports')).toEqual([
      { stored: 1_995, refused: 5, open: false },
    ]);
    const more = { ...wish, mode: 'all-or-nothing', again: true } as const;
    await writeFile(path, csv(FILE.filter((content) => content !== '')));
    await expect(
      importFile(
        more,
        url,
        () => undefined,
        () => undefined,
      ),
    ).rejects.toMatchObject({ code: 'P0001' });
    expect(await contents()).toEqual(GOOD);
  });
});
