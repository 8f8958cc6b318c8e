// node test/contract/licences.js: what the production install consists of, by licence, from package-lock.json.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const Lock = z.object({
  packages: z.record(
    z.string(),
    z
      .object({ version: z.string(), license: z.string().default('none'), dev: z.boolean(), optional: z.boolean() })
      .partial(),
  ),
});

const text = await readFile(new URL('../../package-lock.json', import.meta.url), 'utf8');
const { packages } = Lock.parse(JSON.parse(text));
/** @type {Map<string, string[]>} */
const byLicence = new Map();
for (const [path, { version, license = 'none', dev, optional }] of Object.entries(packages)) {
  if (path === '' || dev === true || optional === true) continue;
  const name = path.split('node_modules/').at(-1) ?? path;
  byLicence.set(license, [...(byLicence.get(license) ?? []), `${name}@${version}`]);
}
for (const [licence, names] of [...byLicence].toSorted(([, a], [, b]) => b.length - a.length)) {
  const few = names.length <= 8 ? `: ${names.join(', ')}` : '';
  process.stdout.write(`${licence.padEnd(16)} ${names.length}${few}\n`);
}
