import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { readKeyFile, type AccessSettings } from '../config/access-settings.js';
import { faultOf } from '../config/api-keys.js';
import { watchFiles } from '../watch-files.js';
import { KeyRing } from './key-ring.js';

/**
 * The keys of the settings, and for as long as `fastify` is open those that their file holds. A file that cannot be used,
 * or holds none, changes nothing and is a warning.
 */
export function ringOf(fastify: FastifyInstance, { keys, file }: AccessSettings, logger: Logger): KeyRing {
  const ring = new KeyRing([...keys, ...(file?.keys ?? [])]);
  logger.info(`Callers need a key; there are ${ring.describe()}`);
  if (file === null) return ring;
  const stop = watchFiles([file.path], () => {
    try {
      const all = [...keys, ...readKeyFile(file.path)];
      const fault = faultOf(all);
      if (fault !== null) throw new Error(`APP_API_KEYS and ${file.path} together: the list ${fault}`);
      ring.replace(all);
      logger.info(`APP_API_KEYS_FILE was read again; now there are ${ring.describe()}`);
    } catch (error) {
      logger.warn({ err: error }, 'APP_API_KEYS_FILE changed and cannot be used; the keys before it stay in force');
    }
  });
  fastify.addHook('onClose', (_fastify, done) => {
    stop();
    done();
  });
  return ring;
}
