// The product's own way to run PostgreSQL, as built: this is plain JavaScript and starts before jest does.
// Imported by URL, so that lint and type check work on a clone that was not built yet; then the compiler must be told the types.
/* oxlint-disable typescript/no-unsafe-type-assertion */

/** @param {string} file */
async function load(file) {
  /** @type {unknown} */
  const module = await import(new URL(`../../dist/src/local/${file}`, import.meta.url).href);
  return module;
}

/** @typedef {typeof import('../../src/local/embedded-postgres.js')} Embedded */
/** @typedef {typeof import('../../src/local/free-port.js')} Ports */
/** @typedef {typeof import('../../src/local/postgres-binaries.js')} Binaries */

export const { startEmbeddedPostgres } = /** @type {Embedded} */ (await load('embedded-postgres.js'));
export const { freePort } = /** @type {Ports} */ (await load('free-port.js'));
export const { findPostgresBinaries } = /** @type {Binaries} */ (await load('postgres-binaries.js'));
