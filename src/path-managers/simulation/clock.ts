import { setTimeout as delay } from "node:timers/promises";
import type { Clock, Timer } from "../../base/clock.ts";

interface Scheduled {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Callbacks that may be due at the same moment, one because of another. */
const MOST_AT_ONCE = 100_000;

/** A clock whose time passes only when it is told to. */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #scheduled = new Set<Scheduled>();

  now(): number {
    return this.#now;
  }

  schedule(milliseconds: number, callback: () => void): Timer {
    const entry = { due: this.#now + Math.max(milliseconds, 0), order: this.#order++, callback };
    this.#scheduled.add(entry);
    return { cancel: () => this.#scheduled.delete(entry) };
  }

  /**
   * Lets so much time pass; what is due on the way happens in its order, and what follows of it at once. Throws where
   * that never comes to an end.
   */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    let atOnce = 0;
    await turn();
    for (let next = this.#next(); next !== undefined && next.due <= end; next = this.#next()) {
      atOnce = next.due > this.#now ? 0 : atOnce + 1;
      if (atOnce > MOST_AT_ONCE)
        throw new Error(
          `time stands still at ${this.#now} ms: what happens there brings about more, for ever`,
        );
      this.#scheduled.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.callback();
      await turn();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Lets time pass in which nothing else can happen, as code that takes long does. */
  block(milliseconds: number): void {
    this.#now += milliseconds;
  }

  #next(): Scheduled | undefined {
    let first: Scheduled | undefined;
    for (const entry of this.#scheduled)
      if (
        first === undefined ||
        entry.due < first.due ||
        (entry.due === first.due && entry.order < first.order)
      )
        first = entry;
    return first;
  }
}

/** Lets promises that can settle do so. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Milliseconds. */
const STEP = 20;

/**
 * Lets virtual time pass as fast as real time until a promise settles. Code that is about to begin may wait for either:
 * for its timers, and for a file that it reads.
 */
export async function passTimeUntil<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = promise.finally(() => {
    isSettled = true;
  });
  await clock.advance(0);
  while (!isSettled) {
    await Promise.race([settled, delay(STEP)]);
    if (!isSettled) await clock.advance(STEP);
  }
  return await settled;
}
