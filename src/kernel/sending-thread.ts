import type { Clock } from "../base/clock.ts";

/** How long commands of a kind take. */
export interface Expectation {
  /** Milliseconds: what takes longer is slow. */
  readonly slow: number;
  /** Milliseconds for which another thread sends such commands after a slow one. */
  readonly rest: number;
}

/** Which thread sends commands of a kind: this one, at once; for a while after a slow command, another. */
export class SendingThread {
  readonly #clock: Clock;
  readonly #expected: Expectation;
  #slowUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, expected: Expectation) {
    this.#clock = clock;
    this.#expected = expected;
  }

  /** Sends by one of both. */
  send(here: () => Promise<void>, elsewhere: () => Promise<void>): Promise<void> {
    const start = this.#clock.now();
    if (start < this.#slowUntil) return elsewhere();
    const sent = here();
    const end = this.#clock.now();
    if (end - start > this.#expected.slow) this.#slowUntil = end + this.#expected.rest;
    return sent;
  }
}
