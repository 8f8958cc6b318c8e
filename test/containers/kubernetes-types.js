import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
// Below this folder, so that the compiler finds the types that are installed here.
const cache = new URL('node_modules/.cache/manifests/', import.meta.url);

/** @typedef {{ apiVersion: string, kind: string, metadata: { name: string }, spec?: object }} Manifest */

/**
 * What of `manifest` has the wrong type, or is required and missing; null when nothing is.
 * @param {Manifest} manifest
 * @returns {Promise<string | null>}
 */
export async function typeProblems(manifest) {
  const name = `kubernetes-models/${manifest.apiVersion}`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the package has no type for "all kinds"
  const models = /** @type {Record<string, new (manifest: object) => { validate(): void }>} */ (await import(name));
  const Model = models[manifest.kind];
  if (Model === undefined) return `${manifest.apiVersion} has no kind ${manifest.kind}`;
  try {
    new Model(manifest).validate();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * The fields of `manifests` that their kinds do not know, as the compiler names them when each manifest is a literal of its
 * kind's interface; empty when it knows them all.
 * @param {readonly Manifest[]} manifests
 */
export async function unknownFields(manifests) {
  const source = manifests.flatMap((manifest, index) => [
    `import type { I${manifest.kind} as Kind${index} } from 'kubernetes-models/${manifest.apiVersion}';`,
    `export const manifest${index}: Kind${index} = ${JSON.stringify(manifest, null, 2)};`,
  ]);
  const options = { module: 'nodenext', target: 'es2023', types: [], strict: true, skipLibCheck: true, noEmit: true };
  await mkdir(cache, { recursive: true });
  await writeFile(new URL('manifests.ts', cache), source.join('\n'));
  await writeFile(
    new URL('tsconfig.json', cache),
    JSON.stringify({ compilerOptions: options, files: ['manifests.ts'] }),
  );
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  try {
    await run(process.execPath, [compiler, '--pretty', 'false', '-p', fileURLToPath(cache)]);
    return '';
  } catch (error) {
    // The compiler names what it finds on its standard output.
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') return error.stdout;
    throw error;
  }
}
