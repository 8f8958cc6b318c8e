// npm run bench [-- --messages 20000 --rounds 1 --only backlog,latency,replicas,history,memory,sent,punctuality,idle,storage,steps,import,auth]
// npm run bench -- --profile: where the product's own time goes.

import { parseArgs } from 'node:util';
import { measureAuth } from './aims/auth.js';
import { CONTENDERS, measureBacklog } from './aims/backlog.js';
import { measureHistory } from './aims/history.js';
import { measureImport } from './aims/import.js';
import { measureLatency, measureReplicas } from './aims/latency.js';
import { measureMemory } from './aims/memory.js';
import { measureSteps } from './aims/steps.js';
import { measureStorage } from './aims/storage.js';
import { measureIdle } from './main-job/idle.js';
import { measureSlots } from './main-job/slots.js';
import { describeProfile, profile } from './profile.js';
import { markdownOf, svgOf } from './report.js';
import { ensureInstalled } from './support/arena.js';
import { describeMachine } from './support/machine.js';
import { stamp, writeResults } from './support/results.js';
import { runOnShippedNode } from './support/shipped-node.js';
import { onStage } from './support/stage.js';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '10000' },
    contenders: { type: 'string', default: Object.keys(CONTENDERS).join(',') },
    history: { type: 'string', default: '5000000' },
    'import-rows': { type: 'string', default: '1000000' },
    waiting: { type: 'string', default: '1000000' },
    slots: { type: 'string', default: '60' },
    only: { type: 'string', default: 'backlog' },
    profile: { type: 'boolean', default: false },
  },
});

const messages = Number(values.messages);
const rounds = Number(values.rounds);
const history = Number(values.history);
const warmUp = Number(values['warm-up']);

/** @typedef {import('./support/stage.js').Stage} Stage */
/** @typedef {import('./report.js').Row} Row */

/** @type {Record<string, (stage: Stage) => Promise<Row[]>>} */
const FURTHER = {
  latency: measureLatency,
  replicas: measureReplicas,
  history: (stage) => measureHistory(stage, { messages, rounds, history }),
  memory: (stage) => measureMemory(stage, Number(values.waiting)),
  sent: async (stage) => (await import('./aims/sent.js')).measureSent(stage, { rounds, history }),
  punctuality: (stage) => measureSlots(stage, Number(values.slots)),
  idle: (stage) => measureIdle(stage, 60),
  storage: (stage) => measureStorage(stage, messages),
  steps: (stage) => measureSteps(stage, { messages, rounds, warmUp }),
  import: (stage) => measureImport(stage, { rows: Number(values['import-rows']), rounds }),
  auth: (stage) => measureAuth(stage, { rounds }),
};

await ensureInstalled();
const exitCode = await runOnShippedNode();
if (exitCode !== null) process.exitCode = exitCode;
else if (values.profile) process.stdout.write(describeProfile(await profile(messages)));
else await measure();

async function measure() {
  const names = values.only === 'all' ? ['backlog', ...Object.keys(FURTHER)] : values.only.split(',');
  const unknown = names.find((name) => name !== 'backlog' && !FURTHER[name]);
  if (unknown) throw new Error(`--only knows backlog, ${Object.keys(FURTHER).join(', ')} and all, not ${unknown}`);
  /** @type {import('./report.js').Report} */
  const report = { machine: describeMachine(), rows: [] };
  for (const name of names) {
    process.stderr.write(`${name} …\n`);
    if (name === 'backlog') report.backlog = await onStage(compare);
    else report.rows.push(...(await onStage(FURTHER[name] ?? (async () => []))));
  }
  const text = markdownOf(report);
  const json = `${JSON.stringify(report, null, 2)}\n`;
  const whole = report.backlog ? { 'latest.md': text, 'latest.svg': svgOf(report.backlog) } : {};
  await writeResults({ [`${stamp()}${report.backlog ? '' : `-${names.join('-')}`}.json`]: json, ...whole });
  process.stdout.write(text);
}

/** @param {Stage} stage */
async function compare(stage) {
  /** @type {import('./aims/backlog.js').Name[]} */
  const contenders = [];
  for (const name of values.contenders.split(',')) {
    if (!isContender(name)) throw new Error(`--contenders knows ${Object.keys(CONTENDERS).join(', ')}, not ${name}`);
    contenders.push(name);
  }
  return await measureBacklog(stage, { messages, rounds, warmUp, contenders });
}

/** @param {string} name @returns {name is import('./aims/backlog.js').Name} */
function isContender(name) {
  return name in CONTENDERS;
}
