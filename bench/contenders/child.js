// A contender in a process of its own, driven by messages from the benchmark: fill, run, close.

/**
 * @typedef {object} Place where it works
 * @property {string} receiverUrl
 * @property {string} databaseUrl an empty database
 * @property {string} redis `host:port`
 */

/**
 * @typedef {object} Contender
 * @property {(count: number) => Promise<void>} fill puts that many messages where it takes them from
 * @property {(count: number) => Promise<void | (() => Promise<void>)>} run sends them; resolves when everything is written, with what ends the run
 * @property {() => Promise<void>} close
 */

/** @typedef {(place: Place) => Promise<Contender>} Open */

/** @typedef {{ do: 'open', name: string, place: Place } | { do: 'fill' | 'run', count: number } | { do: 'close' }} Order */

/** @type {Record<string, () => Promise<Open>>} */
const OPENERS = {
  'bare-loop': async () => (await import('./bare-loop.js')).open,
  'job-alone': async () => (await import('./job-alone.js')).open,
  'job-with-receipts': async () => (await import('./job-alone.js')).openWithReceipts,
  'parts-untied': async () => (await import('./parts-untied.js')).open,
  'graphile-worker': async () => (await import('./graphile-worker.js')).open,
  'graphile-worker-storing': async () => (await import('./graphile-worker.js')).openStoring,
  'pg-boss': async () => (await import('./pg-boss.js')).open,
  bullmq: async () => (await import('./bullmq.js')).open,
};

/** @type {Contender | undefined} */
let contender;

/** @param {Order} order */
async function obey(order) {
  if (order.do === 'open') {
    const opener = OPENERS[order.name];
    if (opener === undefined) throw new Error(`no contender is called ${order.name}`);
    contender = await (await opener())(order.place);
    return {};
  }
  if (contender === undefined) throw new Error('it is not open');
  if (order.do === 'fill') await contender.fill(order.count);
  if (order.do === 'close') await contender.close();
  if (order.do !== 'run') return {};
  const cpu = process.cpuUsage();
  const from = performance.now();
  const end = await contender.run(order.count);
  const seconds = (performance.now() - from) / 1_000;
  const used = process.cpuUsage(cpu);
  await end?.();
  return { seconds, cpuSeconds: (used.user + used.system) / 1e6 };
}

process.on('message', (order) => {
  obey(/** @type {Order} */ (order)).then(
    (reply) => process.send?.(reply),
    (error) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
