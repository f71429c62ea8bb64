/**
 * The clock's part of holding an endpoint: since when each one is held, and which holds have expired. Which endpoints
 * are held, and why, control/policy/held-endpoints.ts decides.
 */
import type { Clock } from "../../base/clock.ts";
import { placeOf } from "../network/network.ts";
import type { Decision, ReasonCode } from "../policy/decision.ts";

const none: ReadonlySet<string> = new Set();

interface HeldSince {
  readonly since: number;
  readonly code: ReasonCode;
}

/** Remembers since when endpoints are held, so that the policy itself needs no clock. */
export class RemovalDelays {
  readonly #clock: Clock;
  /** By place: another interface may have the address, and wait for the endpoint that is held. */
  readonly #holds = new Map<string, HeldSince>();
  #seenExpired: ReadonlySet<string> = new Set();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs the policy with the addresses whose delay is over, and begins or ends holds by what it says.
   *
   * @param delay in milliseconds; with 0 an endpoint is given up in the same run in which its address goes
   */
  apply(delay: number, policy: (expired: ReadonlySet<string>) => readonly Decision[]): readonly Decision[] {
    for (;;) {
      const expired = this.#expired(delay);
      const decisions = policy(expired);
      const begun = this.#update(decisions);
      // A hold that is over as it begins, or that begins anew, changes what the policy says.
      if (begun.some((place) => delay === 0 || expired.has(place))) continue;
      this.#seenExpired = expired;
      return decisions;
    }
  }

  /** Milliseconds until a delay is over that was not over for the policy yet; undefined: none is running. */
  nextExpiry(delay: number): number | undefined {
    if (this.#holds.size === 0) return undefined;
    const now = this.#clock.now();
    const running = [...this.#holds].filter(([place]) => !this.#seenExpired.has(place));
    const left = running.map(([, { since }]) => Math.max(since + delay - now, 0));
    return left.length === 0 ? undefined : Math.ceil(Math.min(...left));
  }

  #expired(delay: number): ReadonlySet<string> {
    if (this.#holds.size === 0) return none;
    const now = this.#clock.now();
    return new Set([...this.#holds].filter(([, { since }]) => since + delay <= now).map(([place]) => place));
  }

  /** @returns the places whose hold begins now, for the first time or anew */
  #update(decisions: readonly Decision[]): string[] {
    const named = new Set<string>();
    const begun: string[] = [];
    for (const decision of decisions) {
      const { outcome, code } = decision;
      if (outcome !== "held" && this.#holds.size === 0) continue;
      const place = placeOf(decision);
      named.add(place);
      const hold = this.#holds.get(place);
      // An address that vanishes from a link that was down before gets the delay anew.
      const vanished = hold !== undefined && code === "address-gone" && hold.code !== code;
      if (outcome === "endpoint") this.#holds.delete(place);
      else if (vanished || (outcome === "held" && !hold)) {
        this.#holds.set(place, { since: this.#clock.now(), code });
        begun.push(place);
      }
    }
    for (const place of this.#holds.keys()) if (!named.has(place)) this.#holds.delete(place);
    return begun;
  }
}
