/** A process that lived for less than this tells nothing about growth. */
const LIFE_MS = 45_000;
/** Until then it compiles, connects and fills its pools. */
const WARM_UP_MS = 12_000;
const GROWTH = 1.25;
const GROWTH_MB = 48;
const DESCRIPTORS = 40;

/**
 * Whether memory and descriptors of each process stayed flat: the last third of its life against the first.
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @param {import('../tally.js').Tally} tally
 */
export function judgeVitals({ vitals }, tally) {
  tally.add('processes_measured', 0);
  for (const pid of new Set(vitals.map((vital) => vital.pid))) {
    const life = vitals.filter((vital) => vital.pid === pid);
    const bornAt = life[0]?.at ?? 0;
    const warm = life.filter(({ at }) => at - bornAt >= WARM_UP_MS);
    tally.most('most_rss_mb', Math.round(Math.max(...life.map(({ rssMb }) => rssMb))));
    tally.most('most_descriptors', Math.max(...life.map(({ descriptors }) => descriptors)));
    if ((life.at(-1)?.at ?? 0) - bornAt < LIFE_MS) continue;
    tally.add('processes_measured');
    const third = Math.floor(warm.length / 3);
    const [first, last] = [warm.slice(0, third), warm.slice(-third)];
    const [rssBefore, rssAfter] = [first, last].map((part) => median(part.map(({ rssMb }) => rssMb)));
    const [fdsBefore, fdsAfter] = [first, last].map((part) => median(part.map(({ descriptors }) => descriptors)));
    if (rssBefore === undefined || rssAfter === undefined || fdsBefore === undefined || fdsAfter === undefined)
      continue;
    tally.most('most_rss_growth_mb', Math.round(rssAfter - rssBefore));
    tally.most('most_descriptor_growth', fdsAfter - fdsBefore);
    const who = `process ${pid} of replica ${life[0]?.replica}`;
    if (rssAfter > GROWTH * rssBefore + GROWTH_MB) {
      tally.broken('memory stays flat', `${who}: from ${Math.round(rssBefore)} to ${Math.round(rssAfter)} MB`);
    }
    if (fdsAfter > fdsBefore + DESCRIPTORS) {
      tally.broken('descriptors stay flat', `${who}: from ${fdsBefore} to ${fdsAfter}`);
    }
  }
}

/** @param {readonly number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
