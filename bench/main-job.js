// npm run bench:main-job [-- --slots 1000] [--only start,delivery,slots,idle,backlog]: the main job, measured with nothing but the
// product's own install.

import { parseArgs } from 'node:util';
import { measureBacklog } from './main-job/backlog.js';
import { measureIdle } from './main-job/idle.js';
import { measureSlots } from './main-job/slots.js';
import { measureDelivery, measureStart } from './main-job/start.js';
import { markdownOf } from './report.js';
import { describeMachine } from './support/machine.js';
import { stamp, writeResults } from './support/results.js';
import { onStage } from './support/stage.js';

const { values } = parseArgs({
  options: {
    slots: { type: 'string', default: '60' },
    messages: { type: 'string', default: '20000' },
    'idle-seconds': { type: 'string', default: '60' },
    only: { type: 'string', default: 'start,delivery,slots,idle,backlog' },
  },
});

/** @typedef {import('./support/stage.js').Stage} Stage */
/** @typedef {import('./report.js').Row} Row */

/** @type {Record<string, (stage: Stage) => Promise<Row[]>>} */
const measurements = {
  start: measureStart,
  delivery: measureDelivery,
  slots: (stage) => measureSlots(stage, Number(values.slots)),
  idle: (stage) => measureIdle(stage, Number(values['idle-seconds'])),
  backlog: (stage) => measureBacklog(stage, Number(values.messages)),
};

/** @type {import('./report.js').Report} */
const report = { machine: describeMachine(), rows: [] };
for (const name of values.only.split(',')) {
  const measure = measurements[name];
  if (!measure) throw new Error(`--only knows ${Object.keys(measurements).join(', ')}, not ${name}`);
  process.stderr.write(`${name} …\n`);
  report.rows.push(...(await onStage(measure)));
}
await writeResults({ [`${stamp()}-main-job.json`]: `${JSON.stringify(report, null, 2)}\n` });
process.stdout.write(markdownOf(report));
