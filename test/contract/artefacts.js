import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';

export const DOCUMENT = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));
export const TYPES = fileURLToPath(new URL('api.ts', import.meta.url));

/**
 * The document as it is checked in.
 * @param {object} document
 */
export async function documentText(document) {
  return await format(JSON.stringify(document), { ...(await resolveConfig(DOCUMENT)), parser: 'json' });
}

/**
 * The types of a client, generated from the text of the document.
 * @param {string} text
 */
export async function clientTypes(text) {
  // Its types are there once `npm run test:contract` has installed this folder's packages, and the linter runs before that.
  // oxlint-disable-next-line typescript/no-unsafe-assignment, typescript/no-unsafe-call
  const types = astToString(await openapiTS(text));
  const head = '// Generated from docs/openapi.json by `npm run openapi`.\n\n';
  return await format(head + types, { ...(await resolveConfig(TYPES)), parser: 'typescript' });
}
