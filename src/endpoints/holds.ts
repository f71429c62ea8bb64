import type { Decision, ReasonCode } from "../policy/decision.ts";
import type { Clock } from "./clock.ts";

interface Hold {
  readonly since: number;
  readonly code: ReasonCode;
}

/** Remembers since when endpoints are held, so that the policy itself needs no clock. */
export class Holds {
  readonly #clock: Clock;
  readonly #holds = new Map<string, Hold>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs the policy with the addresses whose delay is over, and begins or ends holds by what it says.
   *
   * @param delay in milliseconds; with 0 an endpoint that is lost is given up in the same run
   */
  apply(delay: number, policy: (expired: ReadonlySet<string>) => Decision[]): Decision[] {
    for (;;) {
      const expired = this.#expired(delay);
      const decisions = policy(expired);
      this.#update(decisions);
      const now = this.#expired(delay);
      if (now.size === expired.size && [...now].every((address) => expired.has(address))) return decisions;
    }
  }

  /** Milliseconds until the next delay is over; undefined: none is running. */
  nextExpiry(delay: number): number | undefined {
    const now = this.#clock.now();
    const left = [...this.#holds.values()].map(({ since }) => since + delay - now).filter((wait) => wait > 0);
    return left.length === 0 ? undefined : Math.ceil(Math.min(...left));
  }

  #expired(delay: number): Set<string> {
    const now = this.#clock.now();
    return new Set(
      [...this.#holds].filter(([, { since }]) => since + delay <= now).map(([address]) => address),
    );
  }

  #update(decisions: readonly Decision[]): void {
    const named = new Set<string>();
    for (const { address, outcome, code } of decisions) {
      named.add(address);
      const hold = this.#holds.get(address);
      // An address that vanishes from a link that was down before gets the delay anew.
      const vanished = hold !== undefined && code === "address-gone" && hold.code !== code;
      if (outcome === "endpoint") this.#holds.delete(address);
      else if (vanished || (outcome === "held" && !hold))
        this.#holds.set(address, { since: this.#clock.now(), code });
    }
    for (const address of this.#holds.keys()) if (!named.has(address)) this.#holds.delete(address);
  }
}
