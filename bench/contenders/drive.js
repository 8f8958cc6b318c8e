import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { backlogSettings, INSERT_MESSAGES, sendBacklog } from '../support/backlog.js';
import { Product } from '../support/product.js';
import { endChild, onStage } from '../support/stage.js';

/** @typedef {import('../support/postgres.js').Postgres} Postgres */
/** @typedef {import('../support/receiver.js').Receiver} Receiver */
/** @typedef {{ server: Postgres, receiver: Receiver, redis: string }} Arena */
/** @typedef {{ seconds: number, cpuSeconds: number, machineCpuSeconds: number, walBytes: number }} Measured `machineCpuSeconds` is that of all processes and of the kernel. */

/**
 * One round of one contender, in a new process with a new database: a warm-up, then the backlog. Every message must have
 * arrived once.
 * @param {Arena} arena
 * @param {string} name
 * @param {number} messages
 * @param {number} warmUp
 * @returns {Promise<Measured>}
 */
export async function playRound(arena, name, messages, warmUp) {
  const database = await arena.server.database();
  try {
    return await onStage(async (stage) => {
      const contender = await (name === 'product'
        ? openProduct(stage, arena, database)
        : openChild(stage, arena, database, name));
      /** @param {number} count */
      const send = async (count) => {
        await contender.fill(count);
        await database.settle();
        await arena.receiver.forget();
        const walBefore = await database.walBytes();
        const machineBefore = machineCpuSeconds();
        const { seconds, cpuSeconds } = await contender.run(count);
        const machineCpu = machineCpuSeconds() - machineBefore;
        const walBytes = (await database.walBytes()) - walBefore;
        await arena.receiver.account(count);
        return { seconds, cpuSeconds, machineCpuSeconds: machineCpu, walBytes };
      };
      if (warmUp > 0) await send(warmUp);
      const measured = await send(messages);
      await contender.close();
      return measured;
    });
  } finally {
    await database.drop();
  }
}

/**
 * What was used of the machine's processors since it started, by all processes and by the kernel, which carries the packets
 * of the loopback in soft interrupts. NaN where there is no /proc/stat (proc(5); in hundredths of a second).
 */
function machineCpuSeconds() {
  if (!existsSync('/proc/stat')) return NaN;
  const [user = NaN, nice = NaN, system = NaN, , , irq = NaN, softirq = NaN] = readFileSync('/proc/stat', 'utf8')
    .slice('cpu'.length)
    .trim()
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

/**
 * @param {import('../support/stage.js').Stage} stage
 * @param {Arena} arena
 * @param {import('../support/postgres.js').Database} database
 */
async function openProduct(stage, { receiver, redis }, database) {
  const product = await Product.start(stage, {
    env: { APP_DB_URL: database.url, APP_REDIS_ADDR: redis },
    live: backlogSettings(receiver.url),
  });
  return {
    /** @param {number} count */
    fill: async (count) => void (await database.rows(INSERT_MESSAGES, [count])),
    /** @param {number} count */
    async run(count) {
      const cpuBefore = await product.cpuMs();
      const seconds = await sendBacklog(product, database, count);
      return { seconds, cpuSeconds: ((await product.cpuMs()) - cpuBefore) / 1_000 };
    },
    close: async () => void (await product.end()),
  };
}

/**
 * @param {import('../support/stage.js').Stage} stage
 * @param {Arena} arena
 * @param {import('../support/postgres.js').Database} database
 * @param {string} name
 */
async function openChild(stage, { receiver, redis }, database, name) {
  const child = fork(fileURLToPath(new URL('child.js', import.meta.url)));
  stage.defer(() => endChild(child));
  /** @param {unknown} order */
  const tell = async (order) => {
    const gone = new AbortController();
    const onExit = () => gone.abort();
    child.once('exit', onExit);
    child.send(/** @type {import('node:child_process').Serializable} */ (order));
    try {
      const [reply] = await once(child, 'message', { signal: gone.signal });
      if (reply.error) throw new Error(`${name}: ${reply.error}`);
      return /** @type {{ seconds: number, cpuSeconds: number }} */ (reply);
    } catch (error) {
      throw gone.signal.aborted ? new Error(`${name} ended with ${child.exitCode ?? child.signalCode}`) : error;
    } finally {
      child.off('exit', onExit);
    }
  };
  await tell({ do: 'open', name, place: { receiverUrl: receiver.url, databaseUrl: database.url, redis } });
  return {
    fill: async (/** @type {number} */ count) => void (await tell({ do: 'fill', count })),
    run: async (/** @type {number} */ count) => await tell({ do: 'run', count }),
    close: async () => void (await tell({ do: 'close' })),
  };
}
