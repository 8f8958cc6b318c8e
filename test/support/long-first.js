import { statSync } from 'node:fs';

/** Files that take over a minute, mostly of waiting. The largest ones come next, as jest has them: it would end with these alone. */
const LONG = [
  'chaos.e2e',
  'ordinary-life.e2e',
  'crash-database.e2e',
  'rollout.e2e',
  'leases.e2e',
  'scheduler-redis.e2e',
];

/** @typedef {{ readonly path: string }} TestFile */

/** @param {TestFile} file */
const weightOf = ({ path }) => (LONG.some((name) => path.includes(`/${name}-spec.`)) ? Infinity : statSync(path).size);

/** The order in which jest runs test files: those that take longest first. */
// jest takes a default export alone.
// oxlint-disable-next-line import/no-default-export
export default class LongFirst {
  /**
   * @template {TestFile} File
   * @param {readonly File[]} files
   */
  sort(files) {
    const weighed = files.map((file) => ({ file, weight: weightOf(file) }));
    return weighed.toSorted((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0)).map(({ file }) => file);
  }

  /**
   * Nothing is remembered of former runs.
   * @template File
   * @param {readonly File[]} files
   */
  allFailedTests(files) {
    return files;
  }

  /** Called by jest after a run. */
  cacheResults() {
    return undefined;
  }
}
