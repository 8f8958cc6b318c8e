import { writeSync } from 'node:fs';
import { descriptorFault, descriptorLimit } from './descriptor-limit.js';
import { ProcessExit } from './process-exit.js';

// Before everything else is loaded, which takes most of a second in which signals come as well.
const exit = new ProcessExit();
exit.install();

// While loading fails for want of descriptors, there is none to read it with.
const limit = descriptorLimit();
const { startService } = await import('./service.js').catch((error: unknown) => {
  const fault = descriptorFault(error, limit);
  if (fault === null) throw error;
  writeSync(2, `${fault}\n`);
  process.exit(1);
});
await startService(exit);
