import { type Clock, systemClock } from "./clock.ts";
import { RunningClock } from "./running-clock.ts";

export interface PollOptions {
  readonly intervalMs: number;
  readonly deadlineMs: number;
  readonly clock?: Clock;
  /** Ends the wait: `pollFor` rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks again and again until something is so. @returns whether it was so within the deadline, in which the machine did not
 * stand still: see RunningClock. Keeps the process running meanwhile.
 */
export async function pollFor(
  isSo: () => boolean,
  { intervalMs, deadlineMs, clock = systemClock, signal }: PollOptions,
): Promise<boolean> {
  const patience = new RunningClock(clock);
  let isLate = false;
  const deadline = patience.schedule(deadlineMs, () => {
    isLate = true;
  });
  // The clock's timers do not keep the process.
  const keeper = setInterval(() => undefined, LONG);
  try {
    for (;;) {
      signal?.throwIfAborted();
      // In this order: what came to be during the last pause counts.
      const wasLate = isLate;
      if (isSo()) return true;
      if (wasLate) return false;
      await new Promise<void>((resolve) => clock.schedule(intervalMs, resolve));
    }
  } finally {
    clearInterval(keeper);
    deadline.cancel();
  }
}

/** Milliseconds. */
const LONG = 2 ** 31 - 1;
