import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The npm package `node` of bench/, of the major version that the container image ships. */
const SHIPPED = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const SHIPPED_MAJOR = 24;

/**
 * Runs this program again on the Node that the image ships, where the one that runs it is older, and resolves with its exit
 * code; null when there is no need. All contenders then run on the same one, which is the product's own.
 * @returns {Promise<number | null>}
 */
export async function runOnShippedNode() {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major >= SHIPPED_MAJOR) return null;
  const child = spawn(SHIPPED, process.argv.slice(1), { stdio: 'inherit' });
  // Ctrl-C reaches the child as well, which cleans up.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
