import { isDeepStrictEqual } from "node:util";
import { setLatest } from "../../base/bounded-map.ts";
import type { Address } from "../../kernel/addresses.ts";
import type { Link } from "../../kernel/links.ts";
import type { Change } from "../../kernel/rtnetlink.ts";
import { emptyNetwork, type Network } from "./network.ts";
import type { Routing } from "./read.ts";

export type NetworkEvent = Change<"link", Link> | Change<"address", Address>;

/** What an event means beyond what it says. */
export interface Consequences {
  /** Routes, or what they lead to, may have changed without a word. */
  readonly routing?: boolean;
  /** The event makes no sense with what is known: something was missed. */
  readonly missed?: boolean;
}

/** The network as notifications change it. Pure: time and the kernel are the monitor's. */
export class NetworkModel {
  #links = new Map<number, Link>();
  #addresses = new Map<string, Address>();
  #routing: Routing = emptyNetwork;
  #formerNames = new Map<number, string>();
  #snapshot: Network | undefined = emptyNetwork;

  /** The network as it is known now; the same object until something changes. */
  get network(): Network {
    this.#snapshot ??= {
      links: new Map(this.#links),
      addresses: [...this.#addresses.values()],
      defaultRoutes: this.#routing.defaultRoutes,
      egress: this.#routing.egress,
      formerNames: new Map(this.#formerNames),
    };
    return this.#snapshot;
  }

  replace(network: Network): void {
    for (const [index, { name }] of this.#links)
      if (!network.links.has(index)) this.#rememberName(index, name);
    this.#links = new Map(network.links);
    this.#addresses = new Map(network.addresses.map((address) => [keyOf(address), address]));
    this.#routing = network;
    this.#snapshot = undefined;
  }

  /** @returns whether that changed anything */
  replaceRouting({ defaultRoutes, egress }: Routing): boolean {
    const before = { defaultRoutes: this.#routing.defaultRoutes, egress: this.#routing.egress };
    if (isDeepStrictEqual(before, { defaultRoutes, egress })) return false;
    this.#routing = { defaultRoutes, egress };
    this.#snapshot = undefined;
    return true;
  }

  apply(event: NetworkEvent): Consequences {
    this.#snapshot = undefined;
    return "link" in event ? this.#applyLink(event) : this.#applyAddress(event);
  }

  #applyLink({ change, link }: Change<"link", Link>): Consequences {
    const before = this.#links.get(link.index);
    if (change === "new") this.#links.set(link.index, link);
    else {
      this.#links.delete(link.index);
      this.#rememberName(link.index, link.name);
      for (const [key, { ifIndex }] of this.#addresses)
        if (ifIndex === link.index) this.#addresses.delete(key);
    }
    // A link that goes down takes its IPv4 routes with it, silently (net/ipv4/fib_frontend.c, fib_disable_ip).
    return { routing: change === "deleted" || !before || !before.flags.equals(link.flags) };
  }

  #rememberName(index: number, name: string): void {
    setLatest(this.#formerNames, index, name, MOST_FORMER_NAMES);
  }

  #applyAddress({ change, address }: Change<"address", Address>): Consequences {
    if (change === "new") {
      this.#addresses.set(keyOf(address), address);
      return { missed: !this.#links.has(address.ifIndex) };
    }
    this.#addresses.delete(keyOf(address));
    // So does an address that routes name as their source, or that was the last one of its link.
    return { routing: this.#routing.defaultRoutes.some((route) => dependsOn(route, address)) };
  }
}

/** More than there can be endpoints whose link is gone. */
const MOST_FORMER_NAMES = 255;

/** The kernel may hold one address several times on a link, with other prefix lengths or peers. */
function keyOf({ ifIndex, address, prefixLength, peer }: Address): string {
  return `${ifIndex} ${address}/${prefixLength} ${peer ?? ""}`;
}

function dependsOn(route: Network["defaultRoutes"][number], address: Address): boolean {
  return route.source === address.address || route.hops.some(({ ifIndex }) => ifIndex === address.ifIndex);
}
