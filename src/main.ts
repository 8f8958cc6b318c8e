import { AppModule } from './app.module.js';
import { createApp } from './app.setup.js';
import { loadStaticSettings } from './config/load-static-settings.js';
import type { StaticSettings } from './config/static-settings.js';
import { Lifecycle } from './health/lifecycle.js';
import { logLibraryOutput } from './library-output.js';
import { findListenAddress, listen } from './listen.js';
import { LocalStage } from './local/local-stage.js';
import { createLogger } from './logging.js';
import { ProcessExit } from './process-exit.js';
import { logSettingsOf, reportStartupFailure } from './startup-failure.js';

async function main(): Promise<void> {
  let settings: StaticSettings;
  try {
    settings = loadStaticSettings(process.env);
  } catch (error) {
    reportStartupFailure(error, logSettingsOf(process.env));
    process.exit(1);
  }
  const logger = createLogger(settings);
  logLibraryOutput(logger);
  const exit = new ProcessExit(logger);
  exit.install();
  for (const warning of settings.warnings) logger.warn(warning);
  try {
    const address = await findListenAddress(settings.listen);
    const stage = await LocalStage.bringUp(settings, (line) => logger.info(line));
    exit.add('what local brought up', () => stage.stop());
    const app = await createApp(stage.settings, AppModule.register(stage.settings), logger);
    exit.add('the application', () => {
      app.get(Lifecycle).beginShutdown();
      return app.close();
    });
    await stage.prepare(app);
    const port = await listen(app, address);
    const origin = `${settings.tls ? 'https' : 'http'}://localhost:${port}`;
    logger.info(`Listening on ${origin} (documentation: ${origin}/swagger/index.html)`);
    stage.invite(origin);
  } catch (error) {
    reportStartupFailure(error, settings, logger);
    await exit.stopAll();
    process.exit(1);
  }
}

void main();
