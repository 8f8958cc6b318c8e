import { randomInt } from 'node:crypto';
import { freePort } from '../../src/local/free-port.js';

/** Below the ports that Linux, and every other system, gives to connections and to servers that do not mind. */
const LOWEST = 10_000;
const HIGHEST = 32_000;

/** A TCP port of 127.0.0.1 that is free and stays so for a server to come: the system itself hands it to nobody. */
export async function serverPort(): Promise<number> {
  return await freePort(randomInt(LOWEST, HIGHEST));
}
