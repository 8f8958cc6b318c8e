import type { Logger } from 'pino';
import { createLogger, type LogSettings } from './logging.js';
import { standardOutput } from './line-output.js';
import { maskSecrets } from './mask-secrets.js';
import { StartupError } from './startup-error.js';

/**
 * Tells why the process could not start: what its operator can mend as the message alone, everything else with its stack.
 * JSON logs get one line; a terminal gets the message as it is, on stderr.
 */
export function reportStartupFailure(
  error: unknown,
  settings: LogSettings,
  logger: Logger = createLogger(settings),
): void {
  if (!(error instanceof StartupError)) logger.fatal({ err: error }, 'The service could not start');
  else if (settings.logFormat === 'json') logger.error(error.message);
  else standardOutput().error.write(`${maskSecrets(error.message)}\n`);
}

/** How to log when the settings themselves could not be read: JSON only when the environment asks for it by name. */
export function logSettingsOf(environment: NodeJS.ProcessEnv): LogSettings {
  const logEnv = environment['LOG_ENV']?.trim().toLowerCase() ?? '';
  return {
    logLevel: 'info',
    logFormat: ['', 'dev', 'development'].includes(logEnv) ? 'pretty' : 'json',
    serviceName: environment['SERVICE_NAME']?.trim() || 'message-dispatcher',
  };
}
