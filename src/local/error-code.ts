/** The code of a system error (`ENOENT`), or null. Asks for no `instanceof`: under Jest, Node's errors are of another realm. */
export function errorCode(error: unknown): string | null {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}
