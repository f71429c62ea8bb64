import type { Clock } from "../../base/clock.ts";
import type { Link } from "../../kernel/links.ts";
import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import type { Network } from "../network/network.ts";
import { whyLinkDown } from "../policy/address-state.ts";
import type { Step } from "./plan.ts";

export interface SettlingOptions {
  readonly clock: Clock;
  /** The interfaces on which the kernel is looking for a neighbour's link address now. */
  readonly resolving: () => Promise<ReadonlySet<number>>;
  /** Whether an address was an endpoint of ours before. */
  readonly wasEndpoint: (address: string) => boolean;
}

/**
 * Milliseconds: longer than the kernel looks for a neighbour, which is three attempts of one second each (arp(7),
 * mcast_solicit and retrans_time_ms).
 */
const LONGEST_SETTLING = 3500;
/** Milliseconds between two checks whether a link has settled. */
export const SETTLING_PERIOD = 100;

/**
 * Holds back endpoints that open subflows if their link has just come back. While the link was down, the kernel began
 * to look for neighbours, if only to send resets for closed subflows. When such a look-up fails, every packet that
 * waits for it fails (EHOSTUNREACH), the first packets of new subflows included. The kernel opens the subflows of an
 * endpoint only once. So the endpoint waits until the look-up is over: at most a second after the link is up.
 */
export class Settling {
  readonly #options: SettlingOptions;
  /** By address: since when it has waited. */
  readonly #since = new Map<string, number>();
  #links: Network["links"] = new Map();
  /** The last reading, and when to read again: at once if links have changed. */
  #busy: ReadonlySet<number> = new Set();
  #readingDue = Number.NEGATIVE_INFINITY;
  /** By interface: when it last came up or was down. */
  readonly #unsettledAt = new Map<number, number>();

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** The steps of a plan that may have to wait. Call this at every change of links. */
  returning(steps: readonly Step[], links: Network["links"]): readonly Step[] {
    this.#look(links);
    const returning: Step[] = [];
    for (const step of steps)
      if (step.kind === "add" && this.#isReturning(step.endpoint)) returning.push(step);
    if (returning.length === 0) this.#since.clear();
    return returning;
  }

  /** The returning steps that have to wait. */
  async waiting(returning: readonly Step[]): Promise<ReadonlySet<Step>> {
    const { clock } = this.#options;
    const addresses = new Set(returning.map(({ endpoint }) => endpoint.address));
    for (const address of this.#since.keys()) if (!addresses.has(address)) this.#since.delete(address);
    const busy = await this.#readBusy();
    const now = clock.now();
    return new Set(
      returning.filter(({ endpoint: { address, ifIndex } }) => {
        if (!busy.has(ifIndex)) return false;
        const since = this.#since.get(address) ?? now;
        this.#since.set(address, since);
        return now - since < LONGEST_SETTLING;
      }),
    );
  }

  /** The interfaces on which the kernel is looking for a neighbour. If that is unknown, nothing waits. */
  async #readBusy(): Promise<ReadonlySet<number>> {
    const { clock, resolving } = this.#options;
    if (clock.now() < this.#readingDue) return this.#busy;
    this.#readingDue = clock.now() + SETTLING_PERIOD;
    this.#busy = await resolving().catch(() => new Set<number>());
    return this.#busy;
  }

  #isReturning({ address, ifIndex, flags }: Endpoint): boolean {
    return (
      this.#options.wasEndpoint(address) &&
      (flags.has("subflow") || flags.has("fullmesh")) &&
      this.#hasJustComeUp(ifIndex)
    );
  }

  /** After that time, a look-up did not begin while the link was down. */
  #hasJustComeUp(ifIndex: number): boolean {
    const at = this.#unsettledAt.get(ifIndex);
    return at !== undefined && this.#options.clock.now() - at < LONGEST_SETTLING;
  }

  #look(links: Network["links"]): void {
    if (links === this.#links) return;
    const now = this.#options.clock.now();
    for (const link of links.values()) {
      const before = this.#links.get(link.index);
      if (before === undefined || !isSteady(before, link)) this.#unsettledAt.set(link.index, now);
    }
    for (const index of this.#unsettledAt.keys()) if (!links.has(index)) this.#unsettledAt.delete(index);
    this.#links = links;
    this.#readingDue = Number.NEGATIVE_INFINITY;
  }
}

/** Whether packets could leave by a link during the whole time between two readings. */
function isSteady(before: Link, after: Link): boolean {
  return (
    before === after ||
    (whyLinkDown(before) === undefined &&
      whyLinkDown(after) === undefined &&
      before.carrierUpCount === after.carrierUpCount)
  );
}
