// npm run openapi: writes docs/openapi.json from the build, and the types of a client from it.

import { writeFile } from 'node:fs/promises';
import { clientTypes, DOCUMENT, documentText, TYPES } from './artefacts.js';
import { builtDocument } from './document.js';

const text = await documentText(await builtDocument());
await writeFile(DOCUMENT, text);
await writeFile(TYPES, await clientTypes(text));
