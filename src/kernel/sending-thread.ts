import type { Clock } from "../base/clock.ts";
import type { NetlinkConnection, Request } from "./netlink/connection.ts";

type Sender = Pick<NetlinkConnection, "request" | "requestNow">;

/** Another thread sends for so many times as long as slow commands took: this one stands still 1 % of the time. */
const REST_FACTOR = 100;
/** Milliseconds. The machine may have stood still during a command. */
const LONGEST_REST = 60_000;

/**
 * Which thread sends commands of a kind: this one, at once; another for a while after two slow commands in a row. One
 * may be slow because this thread had no processor, and the next one would wait for a thread to wake up in vain.
 */
export class SendingThread {
  readonly #clock: Clock;
  readonly #slow: number;
  #slowUntil = Number.NEGATIVE_INFINITY;
  /** Milliseconds that the last command took, if it was slow. */
  #slowness = 0;

  /** @param slow milliseconds: what takes longer is slow */
  constructor(clock: Clock, slow: number) {
    this.#clock = clock;
    this.#slow = slow;
  }

  /** Sends a command by one of both. */
  send<In>(connection: Sender, request: Request<In>): Promise<void> {
    const start = this.#clock.now();
    if (start < this.#slowUntil) return connection.request(request);
    const sent = connection.requestNow(request);
    const end = this.#clock.now();
    const took = end - start;
    if (took <= this.#slow) this.#slowness = 0;
    else {
      const both = this.#slowness + took;
      if (this.#slowness > 0) this.#slowUntil = end + Math.min(both * REST_FACTOR, LONGEST_REST);
      this.#slowness = took;
    }
    return sent;
  }
}
