import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { StaticSettings } from '../src/config/static-settings.js';
import { replyFor } from '../src/error-mapping.js';
import type { ImportMode } from '../src/import/import-report.js';
import { MessageImport } from '../src/import/message-import.js';
import { NdjsonFormat } from '../src/import/ndjson-format.js';
import { arriving } from '../src/import/steady-body.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

const row = `${JSON.stringify({ recipient_phone: '+905551111111', content: 'x' })}\n`;
const never = new AbortController().signal;

describe('an import over HTTP', () => {
  let migrated: MigratedDatabase;
  beforeAll(async () => {
    migrated = await createMigratedDatabase();
  });
  afterAll(() => migrated.drop());

  const imported = async (pieces: readonly string[], mode: ImportMode): Promise<object | null> => {
    const settings = Object.assign(new StaticSettings(), {
      dbUrl: migrated.database.url,
      dbDirectUrl: null,
      serverReadTimeoutMs: 10_000,
      importMaxBytes: row.length * 20,
      importMaxRows: 10,
    });
    const body = Readable.from(pieces.map((piece) => Buffer.from(piece)));
    const imports = new MessageImport(settings);
    return await imports
      .store(body, new NdjsonFormat(), mode, never)
      .catch((error: unknown) => replyFor(error, 'POST'));
  };
  /** A row a piece, as a slow client sends it. */
  const store = async (rows: number, mode: ImportMode = 'all-or-nothing') =>
    await imported(
      Array.from({ length: rows }, () => row),
      mode,
    );
  const stored = async () => await migrated.database.value<number>('SELECT count(*) FROM messages');

  it('is refused as a whole when it has too many rows, or bytes', async () => {
    expect(await store(10)).toMatchObject({ stored: 10 });
    for (const mode of ['all-or-nothing', 'per-row'] as const) {
      expect(await store(11, mode)).toMatchObject({
        status: 413,
        body: { code: 'import.too_large', error: expect.stringContaining('APP_IMPORT_MAX_ROWS') as unknown },
      });
    }
    expect(await imported([row, ' '.repeat(row.length * 20)], 'per-row')).toMatchObject({
      status: 413,
      body: { code: 'import.too_large', error: expect.stringContaining('APP_IMPORT_MAX_BYTES') as unknown },
    });
    expect(await stored()).toBe(10);
  });

  it('stores nothing, and says why, when the database keeps a row out or refuses it', async () => {
    await migrated.database.query(`
      CREATE TABLE messages_2026 () INHERITS (messages);
      CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO messages_2026 VALUES (new.*); RETURN NULL; END $$;
      CREATE TRIGGER route_by_year BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION route()`);
    const before = await stored();
    expect(await store(3)).toMatchObject({
      status: 422,
      body: { code: 'messages.kept_out', error: expect.stringContaining('the trigger route_by_year') as unknown },
    });
    expect(await stored()).toBe(before);
    await migrated.database.query(`
      DROP TRIGGER route_by_year ON messages; ALTER TABLE messages ADD COLUMN tenant INTEGER NOT NULL DEFAULT 1;
      ALTER TABLE messages ALTER COLUMN tenant DROP DEFAULT`);
    expect(await store(3, 'per-row')).toMatchObject({
      status: 422,
      body: { code: 'database.refused', column: 'tenant' },
    });
    expect(await stored()).toBe(before);
  });
});

describe('the body of an import', () => {
  const LEAST = { bytes: 1_000, inMs: 200 };
  const read = async (body: Readable, pauseMs: number) => {
    let bytes = 0;
    for await (const piece of arriving(body, 10_000, never, LEAST)) {
      bytes += piece.length;
      if (pauseMs > 0) await sleep(pauseMs);
    }
    return bytes;
  };

  it('is given up when it drips, however steadily', async () => {
    const body = new PassThrough();
    const drip = setInterval(() => body.write('x'), 10);
    const outcome: unknown = await read(body, 0).catch((error: unknown) => error);
    clearInterval(drip);
    expect(replyFor(outcome, 'POST')).toMatchObject({ status: 408, body: { code: 'import.too_slow' } });
  });

  it('may wait for the service as long as that takes', async () => {
    const body = new PassThrough();
    const done = read(body, 100);
    for (let piece = 0; piece < 5; piece += 1) if (!body.write('x'.repeat(10))) await once(body, 'drain');
    body.end();
    expect(await done).toBe(50);
  });
});
