import { unwatchFile, watchFile } from 'node:fs';

// Looked at, not listened to: that also sees links that are swapped (Kubernetes) and network mounts.
const LOOK_EVERY_MS = 1000;
// Longer than from one look to the next, so that files that belong together are taken together.
const STILL_FOR_MS = 1500;

/** Calls `onChange` when any of these files has changed and none has for a moment, within 3 s; until the result is called. */
export function watchFiles(paths: readonly string[], onChange: () => void): () => void {
  let pending: NodeJS.Timeout | undefined;
  const changed = (): void => {
    clearTimeout(pending);
    pending = setTimeout(onChange, STILL_FOR_MS);
    pending.unref();
  };
  for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, changed);
  return () => {
    clearTimeout(pending);
    for (const path of paths) unwatchFile(path, changed);
  };
}
