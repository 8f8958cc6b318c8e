import { readFileSync } from 'node:fs';
import { VERSION } from './version.js';

it('is the version of package.json', () => {
  expect(JSON.parse(readFileSync('package.json', 'utf8'))).toMatchObject({ version: VERSION });
});
