/** Deadlines and waits that a machine which stands still does not use up. */
import { type Clock, keepRunning, LONGEST, systemClock, type Timer } from "./clock.ts";

/** Milliseconds between two looks at the time while anything is scheduled. */
const TICK = 250;
/** The most that counts between two looks: whoever looks later has stood still. */
const MOST = 2 * TICK;
/** Milliseconds that are no difference, but what adding has left. */
const PRECISION = 1e-6;

/**
 * The clock for deadlines. It counts only time in which the event loop of this thread ran. A pause counts half a second
 * at most, however long it was: whoever is waited for may have stood still as well, and what had arrived was not read.
 *
 * While nothing is scheduled nobody looks, and all time counts.
 */
export class RunningClock implements Clock {
  readonly #clock: Clock;
  /** What counted until the last look, and when that was. */
  #ran = 0;
  #seen: number;
  #scheduled = 0;
  #tick: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#seen = clock.now();
  }

  now(): number {
    const passed = this.#clock.now() - this.#seen;
    return this.#ran + (this.#tick === undefined ? passed : Math.min(passed, MOST));
  }

  schedule(milliseconds: number, callback: () => void): Timer {
    this.#scheduled++;
    if (this.#tick === undefined) this.#look();
    const due = this.now() + milliseconds;
    let timer: Timer;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      this.#release();
    };
    const arm = (): void => {
      const left = Math.ceil(due - this.now() - PRECISION);
      timer = this.#clock.schedule(Math.max(left, 0), () => {
        if (due - this.now() > PRECISION) return arm();
        end();
        callback();
      });
    };
    arm();
    return { cancel: end };
  }

  #look(): void {
    this.#ran = this.now();
    this.#seen = this.#clock.now();
    this.#tick = this.#clock.schedule(TICK, () => this.#look());
  }

  #release(): void {
    this.#scheduled--;
    if (this.#scheduled > 0) return;
    this.#tick?.cancel();
    this.#ran = this.now();
    this.#seen = this.#clock.now();
    this.#tick = undefined;
  }
}

/** That of this thread, for deadlines of what takes no other clock. */
export const runningClock: Clock = new RunningClock(systemClock);

/** Begins to count milliseconds of a RunningClock. @returns ends it, and tells how many there were */
export function stopwatch(clock: Clock): () => number {
  const running = new RunningClock(clock);
  const keeper = running.schedule(LONGEST, () => undefined);
  const start = running.now();
  return () => {
    keeper.cancel();
    return running.now() - start;
  };
}

/** What `within` gives where the deadline came first. */
export const late = Symbol("late");

/** What a promise gives; `late` where it has not settled within so many milliseconds of the clock. */
export async function within<T>(
  clock: Clock,
  milliseconds: number,
  promise: Promise<T>,
): Promise<T | typeof late> {
  let timer: Timer | undefined;
  const deadline = new Promise<typeof late>((resolve) => {
    timer = clock.schedule(milliseconds, () => resolve(late));
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    timer?.cancel();
  }
}

export interface PollOptions {
  readonly intervalMs: number;
  readonly deadlineMs: number;
  readonly clock?: Clock;
  /** Ends the wait: `pollFor` rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks again and again until something is so. @returns whether it was so within the deadline, in which the machine did
 * not stand still: see RunningClock. Keeps the process running meanwhile.
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
