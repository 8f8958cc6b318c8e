import { ratioTo } from './aims/backlog.js';
import { figure } from './support/numbers.js';
import { table } from './support/results.js';

/** @typedef {import('./aims/backlog.js').Standing} Standing */
/** @typedef {Awaited<ReturnType<typeof import('./aims/backlog.js').measureBacklog>>} Backlog */
/** @typedef {{ what: string, value: number, unit?: string, aim?: string, note?: string }} Row */
/** @typedef {{ machine: Record<string, string | number>, backlog?: Backlog, rows: Row[] }} Report */

/** @type {[import('./aims/backlog.js').Name, string][]} */
const RATIOS = [
  ['bare-loop', '≥ 0.85'],
  ['graphile-worker', '≥ 3.0'],
  ['graphile-worker-storing', ''],
  ['pg-boss', ''],
  ['bullmq', ''],
];

/** The report for people, in Markdown. @param {Report} report */
export function markdownOf({ machine, backlog, rows }) {
  const { processor, cores, memoryGb, system, node, loadBefore } = machine;
  const parts = [
    `${String(processor)}, ${String(cores)} cores, ${String(memoryGb)} GB, ${String(system)}, Node ${String(node)}; load before the run ${String(loadBefore)}.`,
  ];
  if (backlog) parts.push(...backlogParts(backlog));
  if (rows.length > 0) {
    const cells = rows.map(({ what, value, unit, aim, note }) => [
      what,
      `${figure(value, Math.abs(value) < 100 ? 2 : 0)}${unit ? ` ${unit}` : ''}`,
      aim ?? '',
      note ?? '',
    ]);
    parts.push(table(['what', 'measured', 'aim', 'how'], cells));
  }
  return `${parts.join('\n\n')}\n`;
}

/** @param {Backlog} backlog */
function backlogParts({ messages, rounds, receiver, versions, standings }) {
  const ratioCells = RATIOS.flatMap(([name, aim]) => {
    const ratio = ratioTo(standings, name);
    return ratio === null ? [] : [[`÷ ${name}`, figure(ratio, 2), aim]];
  });
  return [
    `Backlog of ${figure(messages)}, ${rounds} rounds; every message arrived once in every round. PostgreSQL ${versions.postgres}; ${versions.redis}. The receiver alone (${receiver.name}, ${receiver.tool}): ${figure(receiver.perSecond)}/s.`,
    table(
      ['sender', 'messages/s, median', 'lowest to highest', 'processor µs per message', 'WAL bytes per message'],
      standings
        .toSorted((a, b) => b.median - a.median)
        .map(({ title, median, min, max, cpuUsPerMessage, walBytesPerMessage }) => [
          title,
          figure(median),
          `${figure(min)} to ${figure(max)}`,
          figure(cpuUsPerMessage),
          figure(walBytesPerMessage),
        ]),
    ),
    table(['message-dispatcher', 'ratio of medians', 'aim'], ratioCells),
  ];
}

const WIDTH = 760;
const BAR = 26;
const GAP = 14;
const LEFT = 290;
const TOP = 48;

/** Bars of medians with a line from the lowest to the highest round. @param {Backlog} backlog */
export function svgOf({ messages, rounds, standings }) {
  const ranked = standings.toSorted((a, b) => b.median - a.median);
  const scale = (WIDTH - LEFT - 90) / Math.max(...ranked.map(({ max }) => max));
  const height = TOP + ranked.length * (BAR + GAP) + 10;
  const bars = ranked.map(({ name, title, median, min, max }, index) => {
    const y = TOP + index * (BAR + GAP);
    const middle = y + BAR / 2;
    const [from, to, end] = [min, max, median].map((value) => (LEFT + value * scale).toFixed(1));
    return `  <text x="${LEFT - 10}" y="${middle + 5}" text-anchor="end">${title}</text>
  <rect x="${LEFT}" y="${y}" width="${(median * scale).toFixed(1)}" height="${BAR}" fill="${name === 'product' ? '#0b7285' : '#adb5bd'}"/>
  <line x1="${from}" y1="${middle}" x2="${to}" y2="${middle}" stroke="#212529" stroke-width="2"/>
  <text x="${Math.max(Number(to), Number(end)) + 8}" y="${middle + 5}">${figure(median)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="14" fill="#212529">
  <rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
  <text x="10" y="26" font-size="16">Messages per second, backlog of ${figure(messages)}: median of ${rounds} rounds, lowest to highest</text>
${bars.join('\n')}
</svg>
`;
}
