import type { Logger } from "../../base/log/log.ts";

/** Faults of path managers by their names, over the lives of threads. */
export class FaultCounts {
  readonly #most: () => number;
  readonly #log: Logger;
  #counts = new Map<string, number>();

  /** @param most so many faults are too many */
  constructor(most: () => number, log: Logger) {
    this.#most = most;
    this.#log = log;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  isTooMany(name: string): boolean {
    return (this.#counts.get(name) ?? 0) >= this.#most();
  }

  /** As the thread itself has counted. */
  set(name: string, count: number): void {
    this.#counts.set(name, count);
  }

  /** Counts one more, and logs it. */
  add(name: string, why: string): void {
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    const stopped = this.isTooMany(name) ? "; it is stopped" : "";
    this.#log.error(`${name}: fault ${count} of ${this.#most()}${why}${stopped}`);
  }

  /** Begins anew. @returns brings back what was counted before */
  clear(): () => void {
    const before = this.#counts;
    this.#counts = new Map();
    return () => {
      this.#counts = before;
    };
  }
}
