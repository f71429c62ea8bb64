/**
 * The clock's part in holding an endpoint: since when each endpoint is held, and which holds have expired.
 * control/policy/held-endpoints.ts decides which endpoints are held, and why.
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
  /** By place, because another interface may have the same address and wait for the held endpoint. */
  readonly #holds = new Map<string, HeldSince>();
  #seenExpired: ReadonlySet<string> = new Set();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs the policy with the addresses whose delay is over, and begins or ends holds as the policy decides.
   *
   * @param delay in milliseconds; with 0 an endpoint is deleted in the same run in which its address goes
   */
  apply(delay: number, policy: (expired: ReadonlySet<string>) => readonly Decision[]): readonly Decision[] {
    for (;;) {
      const expired = this.#expired(delay);
      const decisions = policy(expired);
      const begun = this.#update(decisions);
      // A hold that is over at once, or that begins again, changes the policy's decisions.
      if (begun.some((place) => delay === 0 || expired.has(place))) continue;
      this.#seenExpired = expired;
      return decisions;
    }
  }

  /** Milliseconds until the next delay is over that the policy still counted as running; undefined: none is running. */
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

  /** @returns the places whose hold begins now, for the first time or again */
  #update(decisions: readonly Decision[]): string[] {
    const named = new Set<string>();
    const begun: string[] = [];
    for (const decision of decisions) {
      const { outcome, code } = decision;
      if (outcome !== "held" && this.#holds.size === 0) continue;
      const place = placeOf(decision);
      named.add(place);
      const hold = this.#holds.get(place);
      // If an address vanishes from a link that was already down, its delay starts again.
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
