/**
 * A URL, broken or not, without its user, its password and the secrets of its query: for messages.
 * Everything up to the last `@` counts as user and password: hiding too much is the safe mistake.
 */
export function maskUrl(text: string): string {
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/*).*@/is, '$1***@')
    .replace(/([?&;\s][^=&\s]*(?:password|passwd|pwd|secret|token|key)[^=&\s]*=)[^&\s]*/gi, '$1***');
}
