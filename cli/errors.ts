/** Wrong usage of a command: the message says what is right. Ends the command with exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Exit codes of every command, which scripts rely on. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;
