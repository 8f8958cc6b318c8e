import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backlogSettings, INSERT_MESSAGES, sendBacklog } from './support/backlog.js';
import { Postgres } from './support/postgres.js';
import { Product } from './support/product.js';
import { Receiver } from './support/receiver.js';
import { startRedis } from './support/redis.js';
import { onStage } from './support/stage.js';

/** @typedef {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number } }} ProfileNode */
/** @typedef {{ nodes: ProfileNode[], startTime: number, samples: number[], timeDeltas: number[] }} CpuProfile */

/**
 * Where the product's own time goes while it sends a backlog: self time per function and per package, as a share of the job.
 * @param {number} messages
 */
export async function profile(messages) {
  return await onStage(async (stage) => {
    const receiver = await Receiver.start(stage);
    const redis = await startRedis(stage);
    const server = await Postgres.start(stage);
    const database = await server.database();
    const folder = await stage.folderFor('profile');
    const product = await Product.start(stage, {
      env: { APP_DB_URL: database.url, APP_REDIS_ADDR: redis },
      live: backlogSettings(receiver.url),
      nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'],
    });
    await database.rows(INSERT_MESSAGES, [Math.ceil(messages / 10)]);
    await sendBacklog(product, database, Math.ceil(messages / 10));
    await database.rows(INSERT_MESSAGES, [messages]);
    await database.settle();
    const from = monotonicUs();
    const cpuBefore = await product.cpuMs();
    const seconds = await sendBacklog(product, database, messages);
    const cpuMs = (await product.cpuMs()) - cpuBefore;
    const to = monotonicUs();
    await product.end();
    const [name = ''] = await readdir(folder);
    /** @type {CpuProfile} */
    const recorded = JSON.parse(await readFile(join(folder, name), 'utf8'));
    return {
      messages,
      perSecond: messages / seconds,
      cpuUsPerMessage: (cpuMs * 1000) / messages,
      ...selfTimes(recorded, from, to, messages),
    };
  });
}

/** The clock of V8's profiles, in microseconds. */
const monotonicUs = () => Number(process.hrtime.bigint() / 1000n);

/**
 * @param {CpuProfile} recorded
 * @param {number} from
 * @param {number} to
 * @param {number} messages
 */
function selfTimes(recorded, from, to, messages) {
  const nodes = new Map(recorded.nodes.map((node) => [node.id, node.callFrame]));
  /** @type {Map<string, number>} */
  const functions = new Map();
  /** @type {Map<string, number>} */
  const packages = new Map();
  let at = recorded.startTime;
  recorded.samples.forEach((sample, index) => {
    const deltaUs = recorded.timeDeltas[index] ?? 0;
    at += deltaUs;
    const frame = nodes.get(sample);
    if (frame === undefined || at < from || at > to || frame.functionName === '(idle)') return;
    const place = placeOf(frame.url);
    const line = place.file === '' ? '' : ` ${place.file}:${frame.lineNumber + 1}`;
    add(functions, `${frame.functionName || '(anonymous)'}${line}`, deltaUs);
    add(packages, place.package, deltaUs);
  });
  const total = [...packages.values()].reduce((sum, us) => sum + us, 0);
  const ranked = (/** @type {Map<string, number>} */ times) =>
    [...times]
      .map(([name, us]) => ({ name, percent: (100 * us) / total, usPerMessage: us / messages }))
      .toSorted((a, b) => b.percent - a.percent);
  return { functions: ranked(functions), packages: ranked(packages) };
}

/**
 * @param {Map<string, number>} times
 * @param {string} name
 * @param {number} us
 */
function add(times, name, us) {
  times.set(name, (times.get(name) ?? 0) + us);
}

/** @param {string} url */
function placeOf(url) {
  if (url === '') return { package: '(the engine)', file: '' };
  if (url.startsWith('node:')) return { package: 'node', file: url };
  const inside = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)/.exec(url);
  if (inside) return { package: inside[1] ?? '', file: `${inside[1]}/${inside[2]}` };
  const file = url.replace(/.*\/dist\//, '');
  return { package: 'message-dispatcher', file };
}

/** @param {Awaited<ReturnType<typeof profile>>} result */
export function describeProfile({ messages, perSecond, cpuUsPerMessage, functions, packages }) {
  return [
    `${messages} messages at ${Math.round(perSecond)}/s under the profiler; ${cpuUsPerMessage.toFixed(1)} µs of processor time per message`,
    '',
    'self time by package (share, µs per message):',
    ...packages.slice(0, 15).map(row),
    '',
    'self time by function:',
    ...functions.slice(0, 25).map(row),
    '',
  ].join('\n');
}

/** @param {{ name: string, percent: number, usPerMessage: number }} time */
const row = ({ name, percent, usPerMessage }) =>
  `${percent.toFixed(1).padStart(6)} %  ${usPerMessage.toFixed(2).padStart(6)} µs  ${name}`;
