const HISTORIES = 5;
/** A campaign's last alarms are the likeliest to tell of what was broken; all are in the logs, with --keep. */
const ALARMS = 80;

/**
 * The verdict as text: what was counted, why anything was repeated, and every promise that was broken.
 * @param {import('./types.js').Verdict} verdict
 * @returns {string}
 */
export function describeVerdict({ policy, figures, reasons, breaches }) {
  const lines = [`on_uncertain: ${policy}`, ...table(figures)];
  if (Object.keys(reasons).length > 0) lines.push('  in doubt, and why:', ...table(reasons));
  if (breaches.length === 0) return [...lines, '  every promise was kept', ''].join('\n');
  lines.push(`  BROKEN: ${breaches.length}`);
  for (const promise of new Set(breaches.map((breach) => breach.promise))) {
    const broken = breaches.filter((breach) => breach.promise === promise);
    lines.push(`  ${promise}: ${broken.length} times`);
    for (const { what, history } of broken.slice(0, HISTORIES)) {
      lines.push(`    ${what}`, ...history.map((line) => `      ${line}`));
    }
  }
  return [...lines, ''].join('\n');
}

/**
 * What the replicas complained of, to go with a broken promise.
 * @param {import('./types.js').Evidence} evidence
 * @returns {string}
 */
export function describeAlarms({ alarms }) {
  const shown = alarms.slice(-ALARMS);
  return [
    `  alarms of the replicas, ${shown.length} of ${alarms.length}:`,
    ...shown.map((line) => `    ${line}`),
    '',
  ].join('\n');
}

/** @param {Readonly<Record<string, number>>} figures */
function table(figures) {
  return Object.entries(figures).map(([name, value]) => `    ${name.padEnd(44)} ${value}`);
}
