import { type Clock, keepRunning, systemClock } from "./clock.ts";
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
export function pollFor(isSo: () => boolean, options: PollOptions): Promise<boolean> {
  return keepRunning(poll(isSo, options));
}

async function poll(
  isSo: () => boolean,
  { intervalMs, deadlineMs, clock = systemClock, signal }: PollOptions,
): Promise<boolean> {
  const patience = new RunningClock(clock);
  let isLate = false;
  const deadline = patience.schedule(deadlineMs, () => {
    isLate = true;
  });
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
    deadline.cancel();
  }
}
