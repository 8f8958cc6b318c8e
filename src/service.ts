import { AppModule } from './app.module.js';
import { createApp } from './app.setup.js';
import { loadStaticSettings } from './config/load-static-settings.js';
import type { StaticSettings } from './config/static-settings.js';
import { Lifecycle } from './health/lifecycle.js';
import { logLibraryOutput } from './library-output.js';
import { findListenAddress, listen } from './listen.js';
import { LocalStage } from './local/local-stage.js';
import { createLogger } from './logging.js';
import type { ProcessExit } from './process-exit.js';
import { logSettingsOf, reportStartupFailure } from './startup-failure.js';

/** Brings up the service; whatever it starts is stopped by `exit`. Resolves early when the process is told to end meanwhile. */
export async function startService(exit: ProcessExit): Promise<void> {
  let settings: StaticSettings;
  try {
    settings = loadStaticSettings(process.env);
  } catch (error) {
    reportStartupFailure(error, logSettingsOf(process.env));
    process.exit(1);
  }
  const logger = createLogger(settings);
  logLibraryOutput(logger);
  exit.useLogger(logger);
  for (const warning of settings.warnings) logger.warn(warning);
  try {
    const address = await findListenAddress(settings.listen);
    if (exit.begun) return;
    const bringingUp = LocalStage.bringUp(settings, (line) => logger.info(line));
    // Added before it is there: what is half brought up must not be left behind.
    if (settings.dbUrl === null) {
      exit.add('what local brought up', async () => (await bringingUp.catch(() => null))?.stop());
    }
    const stage = await bringingUp;
    if (exit.begun) return;
    const app = await createApp(stage.settings, AppModule.register(stage.settings), logger);
    exit.add('the application', () => {
      app.get(Lifecycle).beginShutdown();
      return app.close();
    });
    if (exit.begun) return;
    await stage.prepare(app);
    if (exit.begun) return;
    const port = await listen(app, address);
    const origin = `${settings.tls ? 'https' : 'http'}://localhost:${port}`;
    logger.info(`Listening on ${origin} (documentation: ${origin}/swagger/index.html)`);
    stage.invite(origin);
  } catch (error) {
    // What the end of the process takes away from under the start is no failure.
    if (exit.begun) return;
    reportStartupFailure(error, settings, logger);
    await exit.stopAll();
    process.exit(1);
  }
}
