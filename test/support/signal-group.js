/**
 * Signals every process of a group; none left is no error.
 * @param {number} leader
 * @param {NodeJS.Signals} signal
 */
export function signalGroup(leader, signal) {
  try {
    process.kill(-leader, signal);
  } catch {
    // All of them have ended.
  }
}
