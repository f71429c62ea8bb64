/** Resolves at the first SIGINT or SIGTERM, or when something else does, and keeps the program running until then. */
export function interrupted(otherwise?: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const waiting = setInterval(() => undefined, LONG);
    const end = (): void => {
      clearInterval(waiting);
      resolve();
    };
    process.once("SIGINT", end);
    process.once("SIGTERM", end);
    void otherwise?.then(end);
  });
}

/** Milliseconds: about the most that a timer takes. */
const LONG = 2 ** 31 - 1;
