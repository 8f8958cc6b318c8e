import { Logger } from '@nestjs/common';
import { parseArgs } from 'node:util';
import { loadStaticSettings } from './config/load-static-settings.js';
import { connectDatabase } from './connect-database.js';
import { createLogger } from './logging.js';
import { logSettingsOf, reportStartupFailure } from './startup-failure.js';

/**
 * Brings the schema of APP_DB_URL up to date and ends: a deployment's own step, before the service is rolled out.
 * With `--widen-id` it makes `messages.id` a BIGINT as well, however large the table is.
 */
async function migrate(): Promise<void> {
  try {
    const settings = loadStaticSettings(process.env, { serve: false });
    const { values } = parseArgs({ options: { 'widen-id': { type: 'boolean', default: false } } });
    const logger = createLogger(settings);
    // What Nest's parts say on their way, in the same form as everything else.
    Logger.overrideLogger({
      log: (line: string) => logger.info(line),
      warn: (line: string) => logger.warn(line),
      error: (line: string) => logger.error(line),
    });
    const dataSource = await connectDatabase(settings, true, { widenId: values['widen-id'] });
    await dataSource.destroy();
    logger.info('the schema is up to date');
  } catch (error) {
    reportStartupFailure(error, logSettingsOf(process.env));
    process.exitCode = 1;
  }
}

void migrate();
