import type { Clock } from "../../base/clock.ts";
import type { Step } from "./plan.ts";

export interface SettlingOptions {
  readonly clock: Clock;
  /** The interfaces on which the kernel looks for a neighbour's link address at the moment. */
  readonly resolving: () => Promise<ReadonlySet<number>>;
  /** Whether an address was an endpoint of ours before. */
  readonly wasEndpoint: (address: string) => boolean;
}

/**
 * Milliseconds: longer than the kernel looks for a neighbour, which is three times a second (arp(7), mcast_solicit and
 * retrans_time_ms).
 */
const LONGEST = 3500;

/**
 * Holds back endpoints that open subflows, and whose link has just come back. While the link was down, the kernel began to
 * look for neighbours, if only for the resets of subflows that were closed. When such a look-up fails, all that waits for
 * it fails (EHOSTUNREACH), the first packets of new subflows included; and the kernel opens the subflows of an endpoint
 * once only. So the endpoint waits until the look-up is over, which takes a second at most once the link is up.
 */
export class Settling {
  readonly #options: SettlingOptions;
  /** By address: since when it has waited. */
  readonly #since = new Map<string, number>();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** The steps of a plan that have to wait. */
  async waiting(steps: readonly Step[]): Promise<ReadonlySet<Step>> {
    const { clock, resolving, wasEndpoint } = this.#options;
    const returning = steps.filter(
      ({ kind, endpoint }) =>
        kind === "add" &&
        (endpoint.flags.has("subflow") || endpoint.flags.has("fullmesh")) &&
        wasEndpoint(endpoint.address),
    );
    const addresses = new Set(returning.map(({ endpoint }) => endpoint.address));
    for (const address of this.#since.keys()) if (!addresses.has(address)) this.#since.delete(address);
    if (returning.length === 0) return new Set();
    // Where nobody can tell, nothing waits.
    const busy = await resolving().catch(() => new Set<number>());
    const now = clock.now();
    return new Set(
      returning.filter(({ endpoint: { address, ifIndex } }) => {
        if (!busy.has(ifIndex)) return false;
        const since = this.#since.get(address) ?? now;
        this.#since.set(address, since);
        return now - since < LONGEST;
      }),
    );
  }
}
