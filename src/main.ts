import { ProcessExit } from './process-exit.js';

// Before everything else is loaded, which takes most of a second in which signals come as well.
const exit = new ProcessExit();
exit.install();

const { startService } = await import('./service.js');
await startService(exit);
