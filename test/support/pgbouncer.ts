import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { launcherFor } from '../../src/local/run-as.js';
import { eventually } from './eventually.js';
import { serverPort } from './server-port.js';
import { ServerProgram } from './server-program.js';

const PGBOUNCER = process.env['TEST_PGBOUNCER_BIN'] ?? 'pgbouncer';
const READY_MS = 20_000;

/** A real PgBouncer before a database, with so few connections to it that clients have to share them. */
export class PgBouncer extends ServerProgram {
  private constructor(
    private readonly folder: string,
    private readonly target: URL,
    private readonly port: number,
  ) {
    super();
  }

  static async started(databaseUrl: string, mode: 'transaction' | 'session', connections: number): Promise<PgBouncer> {
    const folder = mkdtempSync(join(tmpdir(), 'pgbouncer-'));
    // As root it runs as another user, who must get in.
    chmodSync(folder, 0o755);
    const target = new URL(databaseUrl);
    const bouncer = new PgBouncer(folder, target, await serverPort());
    const user = decodeURIComponent(target.username);
    const password = decodeURIComponent(target.password);
    writeFileSync(join(folder, 'users'), `"${user}" "${password}"\n`);
    const login = `user=${user}${password === '' ? '' : ` password=${password}`}`;
    writeFileSync(
      join(folder, 'pgbouncer.ini'),
      `[databases]
* = host=${target.hostname} port=${target.port || 5432} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${bouncer.port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users')}
pool_mode = ${mode}
default_pool_size = ${connections}
`,
    );
    await bouncer.start();
    return bouncer;
  }

  /** The database's URL, with the pooler's address in it. */
  get url(): string {
    const url = new URL(this.target);
    url.host = `127.0.0.1:${this.port}`;
    url.password = '';
    return url.href;
  }

  async start(): Promise<void> {
    const launcher = await launcherFor(PGBOUNCER, this.folder);
    const child = await launcher.launch(PGBOUNCER, [join(this.folder, 'pgbouncer.ini')], {
      cwd: this.folder,
      stdio: 'ignore',
    });
    this.own(child);
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}`);
      const client = new Client({ connectionString: this.url });
      await client.connect();
      await client.end();
    }, READY_MS);
  }

  /** For good: nothing of it is left. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
