/** What undoes something that was started. @typedef {() => Promise<unknown> | void} Undo */

/**
 * Runs a command to its end, with its result as the exit code, or 2 when it threw. Whatever it adds to the list it is given is
 * undone afterwards, the newest first, also after Ctrl-C.
 * @param {(cleanUps: Undo[]) => Promise<number>} main
 */
export async function runWithCleanUp(main) {
  /** @type {Undo[]} */
  const cleanUps = [];
  const cleanUp = async () => {
    for (const undo of cleanUps.splice(0).toReversed()) await Promise.resolve(undo()).catch(() => undefined);
  };
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => void cleanUp().then(() => process.exit(130)));
  }
  try {
    process.exitCode = await main(cleanUps);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 2;
  } finally {
    await cleanUp();
  }
}
