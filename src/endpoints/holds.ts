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
    const decisions = policy(this.#expired(delay));
    const began = this.#update(decisions);
    return began && delay === 0 ? policy(this.#expired(delay)) : decisions;
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

  #update(decisions: readonly Decision[]): boolean {
    let began = false;
    const named = new Set<string>();
    for (const { address, outcome, code } of decisions) {
      named.add(address);
      if (outcome === "endpoint") this.#holds.delete(address);
      if (outcome !== "held") continue;
      const hold = this.#holds.get(address);
      // An address that vanishes from a link that was long down gets the delay anew.
      if (hold && (hold.code === code || code !== "address-gone")) continue;
      this.#holds.set(address, { since: this.#clock.now(), code });
      began = true;
    }
    for (const address of this.#holds.keys()) if (!named.has(address)) this.#holds.delete(address);
    return began;
  }
}
