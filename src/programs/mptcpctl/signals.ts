/** What ends a command that runs until a signal, in good order. */
export const endingSignals = ["SIGINT", "SIGTERM"] as const;

/** Resolves at the first SIGINT or SIGTERM, or when something else does, and keeps the program running until then. */
export function interrupted(otherwise?: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const waiting = setInterval(() => undefined, LONG);
    const end = (): void => {
      clearInterval(waiting);
      resolve();
    };
    for (const signal of endingSignals) process.once(signal, end);
    void otherwise?.then(end);
  });
}

/** Milliseconds: about the most that a timer takes. */
const LONG = 2 ** 31 - 1;
