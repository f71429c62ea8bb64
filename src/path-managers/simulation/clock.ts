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
   * Lets so much time pass; what is due on the way happens in its order, and what follows of it at once. Throws where that
   * never comes to an end.
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
