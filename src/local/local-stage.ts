import type { INestApplicationContext } from '@nestjs/common';
import { join } from 'node:path';
import { LiveConfig } from '../config/live-config.js';
import { StaticSettings } from '../config/static-settings.js';
import { standardOutput } from '../line-output.js';
import { MessageIntake } from '../messages/message-intake.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js';
import { SAMPLE_MESSAGES } from './sample-messages.js';
import { SandboxReceiver } from './sandbox-receiver.js';

const DATA_DIR = '.data/postgres';

/**
 * What `APP_ENV=local` brings along for whoever has nothing but Node: a PostgreSQL of its own while APP_DB_URL is unset,
 * with a few messages in it when it is new, and a receiver. No row of a database that was there before goes to that receiver
 * unless somebody asks for it, by `webhook_url: sandbox` or APP_SANDBOX. Nothing of it exists elsewhere.
 */
export class LocalStage {
  private sandbox: SandboxReceiver | null = null;
  private saidSandbox = false;

  private constructor(
    /** The settings to run with: those given, with the database that was brought up. */
    readonly settings: StaticSettings,
    private readonly postgres: EmbeddedPostgres | null,
    private readonly log: (line: string) => void,
  ) {}

  /** @throws StartupError when PostgreSQL cannot be brought up here. */
  static async bringUp(settings: StaticSettings, log: (line: string) => void): Promise<LocalStage> {
    if (settings.env !== 'local' || settings.dbUrl !== null) return new LocalStage(settings, null, log);
    const postgres = await startEmbeddedPostgres({ dataDir: join(process.cwd(), DATA_DIR), log });
    postgres.keep();
    return new LocalStage(
      Object.freeze(Object.assign(new StaticSettings(), settings, { dbUrl: postgres.url })),
      postgres,
      log,
    );
  }

  /** Call it when the application is made and before it listens: sending begins with the latter. */
  async prepare(app: INestApplicationContext): Promise<void> {
    if (this.settings.env !== 'local') return;
    if (this.postgres?.created) await app.get(MessageIntake).take(SAMPLE_MESSAGES, null, null);
    const live = app.get(LiveConfig);
    this.sandbox = await SandboxReceiver.start(this.log);
    const { url } = this.sandbox;
    const sayWhenUsed = (): void => {
      if (live.current.webhookUrl !== url || this.saidSandbox) return;
      this.saidSandbox = true;
      this.log(`messages go to the sandbox receiver and to nobody else, see ${new URL('/', url).href}`);
    };
    live.onChange(sayWhenUsed);
    live.setSandbox({ url, byDefault: this.postgres !== null || this.settings.sandbox });
    sayWhenUsed();
  }

  /** Tells whoever sits at the terminal how to add a message. Not through the log, which would mask the number. */
  invite(origin: string): void {
    if (this.settings.env !== 'local' || this.settings.logFormat !== 'pretty') return;
    const body = '{"recipient_phone":"+905550000042","content":"Hello from curl"}';
    standardOutput().output.write(
      `\n  Add a message of your own:\n    curl ${origin}/messages -H 'content-type: application/json' -d '${body}'\n\n`,
    );
  }

  async stop(): Promise<void> {
    await this.sandbox?.stop();
    await this.postgres?.stop();
  }
}
