/** @typedef {import('./types.js').Memory} Memory */
/** @typedef {import('./types.js').Failure} Failure */

/** What may come on top between the warm-up and the end, however many requests lie between: pools, caches, compiled code. */
const HEAP_MARGIN_MIB = 16;
/** The allocator keeps freed pages; a leak of 1 KiB a request would be 75 MiB in a full run. */
const RSS_MARGIN_MIB = 64;

/**
 * @param {{ warm: Memory, end: Memory }} memory
 * @returns {Failure[]}
 */
export function memoryFailures({ warm, end }) {
  const grown = [
    { name: 'heap', from: warm.heapMiB, to: end.heapMiB, margin: HEAP_MARGIN_MIB },
    { name: 'resident memory', from: warm.rssMiB, to: end.rssMiB, margin: RSS_MARGIN_MIB },
  ].filter(({ from, to, margin }) => to > from + margin);
  return grown.map(({ name, from, to, margin }) => ({
    rule: 'no memory growth',
    what: `the ${name} grew from ${from} to ${to} MiB, more than ${margin} MiB`,
  }));
}

/**
 * @param {import('./types.js').Verdict} verdict
 * @returns {string}
 */
export function describeVerdict({ seed, requests, rawConnections, statuses, operations, memory, seconds, failures }) {
  const { warm, end } = memory;
  const lines = [
    `seed ${seed}: ${requests} requests and ${rawConnections} raw connections in ${seconds} s`,
    `  statuses    ${pairs(statuses)}`,
    `  operations  ${pairs(operations)}`,
    `  memory      heap ${warm.heapMiB} -> ${end.heapMiB} MiB, resident ${warm.rssMiB} -> ${end.rssMiB} MiB`,
  ];
  if (failures.length === 0) return [...lines, '  every promise was kept', ''].join('\n');
  lines.push(`  BROKEN: ${failures.length}`);
  for (const rule of new Set(failures.map((failure) => failure.rule))) {
    const broken = failures.filter((failure) => failure.rule === rule);
    lines.push(`  ${rule}: ${broken.length} times`, ...broken.slice(0, 8).map(({ what }) => `    ${what}`));
  }
  return [...lines, ''].join('\n');
}

/** @param {Readonly<Record<string, number>>} counts */
function pairs(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ');
}
