const HISTORIES = 5;

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

/** @param {Readonly<Record<string, number>>} figures */
function table(figures) {
  return Object.entries(figures).map(([name, value]) => `    ${name.padEnd(44)} ${value}`);
}
