import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyBuild } from '../chaos/build.js';

/**
 * What each sabotage replaces in the compiled service. A text that is not found exactly once stops the run: then the product has
 * changed, and the sabotage with it.
 * @type {Record<import('./types.js').Sabotage, { file: string, from: string, to: string }>}
 */
const SABOTAGES = {
  throw: {
    file: 'src/messages/messages.controller.js',
    from: 'async find(id) {',
    to: 'async find(id) { if (id % 5 === 0) throw new Error("sabotage");',
  },
  log: {
    file: 'src/messages/message-intake.js',
    from: 'async store(message) {',
    to: 'async store(message) { console.log(JSON.stringify({ who: message.recipient_phone }));',
  },
  shape: {
    file: 'src/scheduler/scheduler.controller.js',
    from: 'overflow_total:',
    to: 'overflow:',
  },
  leak: {
    file: 'src/request-log.js',
    from: 'logRequest(logger, request, reply);',
    to: '(globalThis.kept ??= []).push(new Array(2_500).fill(request.id)); logRequest(logger, request, reply);',
  },
  exit: {
    file: 'src/messages/messages.controller.js',
    from: 'async find(id) {',
    to: 'async find(id) { if (id % 5 === 0) process.exit(0);',
  },
};

/**
 * A copy of the built service in `folder`, with a sabotage if one is named.
 * @param {string} folder
 * @param {import('./types.js').Sabotage | null} sabotage
 */
export async function preparedBuild(folder, sabotage) {
  await copyBuild(folder, null);
  if (sabotage === null) return;
  const { file, from, to } = SABOTAGES[sabotage];
  const path = join(folder, 'dist', file);
  const parts = (await readFile(path, 'utf8')).split(from);
  if (parts.length !== 2) throw new Error(`--sabotage ${sabotage}: ${file} does not hold exactly once: ${from}`);
  await writeFile(path, parts.join(to));
}
