/**
 * A condition that keeps the process from starting and that its operator can mend.
 * `main.ts` prints the message alone, without a stack, and exits with code 1.
 * The message says what was being done, to what, and what would fix it; secrets are masked.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}
