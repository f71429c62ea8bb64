import type { Clock } from "../base/clock.ts";

/** Another thread sends for so many times as long as a slow command took: this one stands still 1 % of the time. */
const REST_FACTOR = 100;
/** Milliseconds. The machine may have stood still during a command. */
const LONGEST_REST = 60_000;

/** Which thread sends commands of a kind: this one, at once; for a while after a slow command, another. */
export class SendingThread {
  readonly #clock: Clock;
  readonly #slow: number;
  #slowUntil = Number.NEGATIVE_INFINITY;

  /** @param slow milliseconds: what takes longer is slow */
  constructor(clock: Clock, slow: number) {
    this.#clock = clock;
    this.#slow = slow;
  }

  /** Sends by one of both. */
  send(here: () => Promise<void>, elsewhere: () => Promise<void>): Promise<void> {
    const start = this.#clock.now();
    if (start < this.#slowUntil) return elsewhere();
    const sent = here();
    const end = this.#clock.now();
    const took = end - start;
    if (took > this.#slow) this.#slowUntil = end + Math.min(took * REST_FACTOR, LONGEST_REST);
    return sent;
  }
}
