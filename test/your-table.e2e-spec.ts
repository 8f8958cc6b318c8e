import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { PostgresServer } from './support/postgres-server.js';
import { Receiver } from './support/receiver.js';
import { TestDatabase } from './support/test-database.js';
import { Upload } from './support/upload.js';

jest.setTimeout(90_000);

const PAGE = readFileSync('docs/your-table.md', 'utf8');

/** The block of SQL on the page that follows the comment with this name. */
function blockOf(name: string): string {
  const block = new RegExp(`<!-- ${name} -->\\s+\`\`\`sql\\n([^]+?)\`\`\``).exec(PAGE)?.[1];
  if (block === undefined) throw new Error(`docs/your-table.md has no block ${name}`);
  return block;
}

describe('docs/your-table.md', () => {
  let server: PostgresServer;
  let database: TestDatabase;
  let receiver: Receiver;
  beforeAll(async () => {
    server = await PostgresServer.started();
    receiver = await Receiver.start();
    await server.query('CREATE ROLE sms_owner LOGIN');
    await server.query('CREATE ROLE sms_service LOGIN');
    database = await TestDatabase.create(server.url, 'OWNER sms_owner');
    await database.query('ALTER SCHEMA public OWNER TO sms_owner');
    await database.query(`REVOKE TEMPORARY ON DATABASE ${nameOf(database)} FROM PUBLIC`);
  });
  afterAll(async () => {
    await database.drop();
    await server.remove();
    await receiver.stop();
  });

  const asOwner = async (block: string) =>
    await database.query(
      `SET ROLE sms_owner; ${block.replace('DATABASE sms ', `DATABASE ${nameOf(database)} `)}; RESET ROLE`,
    );
  const urlOf = (role: string) => database.url.replace('postgres@', `${role}@`);
  const run = async (program: 'doctor' | 'migrate', role: string) =>
    await new Promise<{ code: number; lines: string[] }>((resolve) => {
      const env = { PATH: process.env['PATH'], APP_ENV: 'production', LOG_ENV: 'production', APP_DB_URL: urlOf(role) };
      const child = execFile(process.execPath, [`dist/src/${program}.js`], { env }, (_, stdout, stderr) => {
        const lines = `${stdout}${stderr}`.trim().split('\n');
        resolve({
          code: child.exitCode ?? -1,
          lines: lines.map((line) => (JSON.parse(line) as { message: string }).message),
        });
      });
    });

  it('leads from a table of a company to a service that sends with the rights that it lists, and with no more', async () => {
    await asOwner(blockOf('the table'));
    await asOwner(`INSERT INTO messages (recipient_phone, content) VALUES ('+90', 'old')`);
    await asOwner(blockOf('the old rows'));
    // So that id stays INTEGER, with which everything below works.
    await asOwner('CREATE VIEW unsent AS SELECT id FROM messages WHERE NOT sent_status');

    const stranger = await run('doctor', 'sms_service');
    expect(stranger.code).toBe(1);
    expect(stranger.lines.join('\n')).toMatch(/public\.messages belongs to sms_owner/);
    const owner = await run('doctor', 'sms_owner');
    expect([owner.code, owner.lines.at(-1)]).toEqual([0, 'nothing is in the way']);
    expect(await database.value(`SELECT to_regclass('message_dispatcher_migrations')`)).toBeNull();
    const migrated = await run('migrate', 'sms_owner');
    expect([migrated.code, migrated.lines.at(-1)]).toEqual([0, 'the schema is up to date']);

    const app = await DispatcherProcess.start({
      env: { APP_ENV: 'production', APP_AUTH: 'none', APP_DB_URL: urlOf('sms_service') },
      live: { rate_limit: 5, scheduler_interval: 1, webhook_url: receiver.url },
    });
    try {
      await app.logged(/sms_service may not read the table message_dispatcher_migrations/);
      await asOwner('GRANT SELECT ON message_dispatcher_migrations TO sms_service');
      const line = await app.logged(/cannot be used, and nothing is sent/);
      expect(line.message).toMatch(/sms_service lacks SELECT, INSERT, UPDATE on messages. GRANT SELECT/);
      expect(line.message).toMatch(/sms_service lacks SELECT, INSERT, UPDATE, DELETE on dispatch_jobs/);
      const ready = await app.get('/health/ready');
      expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('npm run doctor')]);
      expect(app.said(/out of reach/)).toEqual([]);

      await asOwner(blockOf('the rights'));
      await app.logged(/messages are those of public\.messages in the database \w+, as sms_service/);
      await asOwner(`INSERT INTO messages (recipient_phone, content) VALUES ('+905551111111', 'by SQL')`);
      const posted = await app.post('/messages', { recipient_phone: '+905552222222', content: 'by POST' });
      expect(posted.status).toBe(201);
      const upload = Upload.begin(`${app.origin}/messages/import`, 'text/csv');
      expect(await upload.end('recipient_phone,content\n+905553333333,by import\n')).toMatchObject({ status: 200 });
      await eventually(async () =>
        expect(await database.value('SELECT count(*) FROM messages WHERE sent_status')).toBe(4),
      );
      expect(receiver.ledger.map(({ content }) => content).toSorted()).toEqual(['by POST', 'by SQL', 'by import']);
      expect((await app.get('/health/ready')).status).toBe(200);
      const withoutDelete = (await run('doctor', 'sms_service')).lines.join('\n');
      expect(withoutDelete).toContain('GRANT DELETE ON messages TO sms_service');
      await asOwner(blockOf('the right to delete'));
      await asOwner(`CREATE TABLE bills (message INTEGER REFERENCES messages ON DELETE CASCADE)`);
      const withDelete = (await run('doctor', 'sms_service')).lines.join('\n');
      expect(withDelete).not.toContain('may not delete');
      expect(withDelete).toMatch(/bills_message_fkey of bills deletes the rows .* no index leads to such rows/);
      // Ids that an INTEGER column cannot hold.
      expect((await app.get('/messages/3000000000')).status).toBe(404);
      expect((await app.post('/messages/3000000000/cancel', {})).status).toBe(404);
      for (const state of ['waiting', 'sending', 'sent', 'failed', 'uncertain', 'cancelled']) {
        expect([state, (await app.get(`/messages?state=${state}`)).status]).toEqual([state, 200]);
      }
      expect((await app.get('/messages?state=waiting&after=3000000000')).status).toBe(200);
      expect((await app.post('/messages/replay', { state: 'failed' })).status).toBe(200);
      expect([(await app.post('/stop')).text, (await app.post('/start')).text]).toEqual(['"Stopped"', '"Started"']);
      expect(app.lines.filter((entry) => entry['log.level'] === 'error')).toHaveLength(2);

      await asOwner(blockOf('the sequences'));
      await database.query(blockOf('the search path'));
      expect((await run('doctor', 'sms_owner')).code).toBe(0);
    } finally {
      await app.dispose();
    }
  });
});

function nameOf(database: TestDatabase): string {
  return new URL(database.url).pathname.slice(1);
}
