import { loadStaticSettings } from './config/load-static-settings.js';
import { connectDatabase } from './connect-database.js';
import { createLogger } from './logging.js';
import { logSettingsOf, reportStartupFailure } from './startup-failure.js';

/** Brings the schema of APP_DB_URL up to date and ends: a deployment's own step, before the service is rolled out. */
async function migrate(): Promise<void> {
  try {
    const settings = loadStaticSettings(process.env, { serve: false });
    const dataSource = await connectDatabase(settings, true);
    await dataSource.destroy();
    createLogger(settings).info('the schema is up to date');
  } catch (error) {
    reportStartupFailure(error, logSettingsOf(process.env));
    process.exitCode = 1;
  }
}

void migrate();
