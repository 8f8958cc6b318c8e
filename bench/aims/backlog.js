import { playRound } from '../contenders/drive.js';
import { openArena, receiverLimit, serviceVersions } from '../support/arena.js';
import { figure, spread } from '../support/numbers.js';

export const CONTENDERS = {
  'bare-loop': 'bare undici loop, no database',
  product: 'message-dispatcher, all guarantees on',
  'graphile-worker': 'graphile-worker, provider ids not stored',
  'graphile-worker-storing': 'graphile-worker, provider ids stored',
  'pg-boss': 'pg-boss',
  bullmq: 'BullMQ',
};

/** @typedef {keyof typeof CONTENDERS} Name */
/** @typedef {{ name: string, title: string, rates: number[], median: number, min: number, max: number, cpuUsPerMessage: number, machineCpuUsPerMessage: number, walBytesPerMessage: number }} Standing */

/**
 * Everybody sends the same backlog to the same receiver, in turn, for several rounds; each round begins with another one.
 * @param {import('../support/stage.js').Stage} stage
 * @param {{ messages: number, rounds: number, warmUp: number, contenders: Name[] }} options
 */
export async function measureBacklog(stage, { messages, rounds, warmUp, contenders }) {
  const arena = await openArena(stage);
  const limit = await receiverLimit(arena.receiver, 64);
  const titles = Object.fromEntries(contenders.map((name) => [name, CONTENDERS[name]]));
  const standings = await playRounds(arena, titles, { messages, rounds, warmUp });
  return {
    messages,
    rounds,
    receiver: { name: arena.receiver.name, ...limit },
    versions: await serviceVersions(arena.server),
    standings,
  };
}

/**
 * Everybody sends the same backlog in turn, for several rounds.
 * @param {import('../contenders/drive.js').Arena} arena
 * @param {Readonly<Record<string, string>>} titles of those who take part, by name
 * @param {{ messages: number, rounds: number, warmUp: number }} options
 */
export async function playRounds(arena, titles, { messages, rounds, warmUp }) {
  const names = Object.keys(titles);
  /** @type {Map<string, import('../contenders/drive.js').Measured[]>} */
  const measured = new Map(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      const result = await playRound(arena, name, messages, warmUp);
      measured.get(name)?.push(result);
      process.stderr.write(`round ${round + 1}, ${name}: ${figure(messages / result.seconds)}/s\n`);
    }
  }
  return [...measured].map(([name, results]) => standing(name, titles[name] ?? name, results, messages));
}

/**
 * @param {string} name
 * @param {string} title
 * @param {readonly import('../contenders/drive.js').Measured[]} results
 * @param {number} messages
 * @returns {Standing}
 */
function standing(name, title, results, messages) {
  const rates = results.map(({ seconds }) => messages / seconds);
  const perMessage = (/** @type {number[]} */ values) => spread(values).median / messages;
  return {
    name,
    title,
    rates,
    ...spread(rates),
    cpuUsPerMessage: perMessage(results.map(({ cpuSeconds }) => cpuSeconds * 1e6)),
    machineCpuUsPerMessage: perMessage(results.map((result) => result.machineCpuSeconds * 1e6)),
    walBytesPerMessage: perMessage(results.map(({ walBytes }) => walBytes)),
  };
}

/** The product's median over another's; null when one of them did not run. @param {readonly Standing[]} standings @param {Name} name */
export function ratioTo(standings, name) {
  const median = (/** @type {Name} */ wanted) => standings.find((row) => row.name === wanted)?.median;
  const [own, other] = [median('product'), median(name)];
  return own === undefined || other === undefined ? null : own / other;
}
