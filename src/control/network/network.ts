import { isDeepStrictEqual } from "node:util";
import { setLatest } from "../../base/bounded-map.ts";
import type { Address } from "../../kernel/addresses.ts";
import type { Link } from "../../kernel/links.ts";
import type { Route } from "../../kernel/routes.ts";
import type { Change } from "../../kernel/rtnetlink.ts";

export type Family = 4 | 6;

/**
 * The state of this network namespace: its links, their addresses, and the ways out. A snapshot: it never changes
 * after it was handed out.
 */
export interface Network {
  /** Every link, by interface index. */
  readonly links: ReadonlyMap<number, Link>;
  /** Every address of every link. */
  readonly addresses: readonly Address[];
  /** Default routes of every table, and the two halves (/1) that tunnels often set instead. */
  readonly defaultRoutes: readonly Route[];
  /** The interfaces that the host's own traffic to the Internet leaves by: most hosts have one. */
  readonly egress: readonly Egress[];
  /** The names of the latest deleted links, by interface index. */
  readonly formerNames: ReadonlyMap<number, string>;
}

/** How traffic leaves: the part of a network that notifications do not describe completely. */
export type Routing = Pick<Network, "defaultRoutes" | "egress">;

export interface Egress {
  readonly family: Family;
  readonly ifIndex: number;
  /** The interfaces of the same route's other next hops (ECMP): the kernel spreads connections over all of them. */
  readonly sharedWith?: readonly number[];
}

export const emptyNetwork: Network = {
  links: new Map(),
  addresses: [],
  defaultRoutes: [],
  egress: [],
  formerNames: new Map(),
};

export interface InterfaceAddress {
  readonly address: string;
  readonly ifIndex: number;
}

/** An address on an interface, as a key. */
export function placeOf({ address, ifIndex }: InterfaceAddress): string {
  return `${address}%${ifIndex}`;
}

/** The interface's name; its last name if it is gone; or `if7` if it was never seen. */
export function interfaceName(network: Network, ifIndex: number): string {
  return network.links.get(ifIndex)?.name ?? network.formerNames.get(ifIndex) ?? `if${ifIndex}`;
}

/**
 * Whether traffic of a family can leave to anywhere by an interface: it has a default route in any table, or
 * routes to both halves of the address space.
 */
export function hasDefaultRoute(network: Network, ifIndex: number, family: Family): boolean {
  const halves = new Set<string>();
  for (const route of network.defaultRoutes) {
    if (route.family !== family || !route.hops.some((hop) => hop.ifIndex === ifIndex)) continue;
    if (route.prefixLength === 0) return true;
    halves.add(route.destination ?? "");
  }
  return halves.size >= 2;
}

/** The ARPHRD_* of include/uapi/linux/if_arp.h that are needed to tell links apart. */
export const ARPHRD_ETHER = 1;

const tunnelKinds: ReadonlySet<string> = new Set([
  "wireguard",
  "amneziawg",
  "tun",
  "ovpn",
  "ipip",
  "ip6tnl",
  "gre",
  "ip6gre",
  "sit",
  "vti",
  "vti6",
  "xfrm",
]);

/** Whether a link is a layer-3 tunnel: what goes in is carried inside other packets that leave by another link. */
export function isTunnel(link: Link): boolean {
  // A TAP device is of kind tun too, but it is an Ethernet device: often of a virtual machine, and not a way out.
  return link.kind !== undefined && tunnelKinds.has(link.kind) && link.type !== ARPHRD_ETHER;
}

/**
 * Whether a tunnel that IPv4 leaves by is how a host has IPv4 on an access network with IPv6 alone, and not a VPN.
 * Either all of its IPv4 addresses are those of a CLAT (464XLAT, RFC 7335) or of a DS-Lite B4 (RFC 6333, section 5.7).
 * Or it is an IPv4-in-IPv6 tunnel (MAP-E, lw4o6, DS-Lite without an address) and nothing else leads IPv4 out.
 */
export function isIpv4Continuity({ links, addresses, defaultRoutes }: Network, link: Link): boolean {
  const own = addresses.filter(({ ifIndex, family }) => ifIndex === link.index && family === 4);
  if (own.length > 0 && own.every(({ address }) => /^192\.0\.0\.[0-7]$/.test(address))) return true;
  if (link.kind !== "ip6tnl") return false;
  const hops = defaultRoutes.flatMap(({ family, hops }) => (family === 4 ? hops : []));
  return hops.every(({ ifIndex }) => {
    const other = links.get(ifIndex);
    return other === undefined || isTunnel(other);
  });
}

export type NetworkEvent = Change<"link", Link> | Change<"address", Address>;

/** The further consequences of an event. */
export interface Consequences {
  /** Routes, or the links they lead to, may have changed without a notification. */
  readonly routing?: boolean;
  /** The event does not fit the known state: an earlier event was missed. */
  readonly missed?: boolean;
}

/** The network as notifications change it. Pure: time and the kernel are the monitor's. */
export class NetworkModel {
  #links = new Map<number, Link>();
  #addresses = new Map<string, Address>();
  #routing: Routing = emptyNetwork;
  #formerNames = new Map<number, string>();
  #snapshot: Network | undefined = emptyNetwork;
  /** The links of snapshots; the same object until a link changes. */
  #linksSnapshot: Network["links"] | undefined;
  #formerNamesSnapshot: Network["formerNames"] | undefined;

  /** The network as it is known now; the same object until something changes. */
  get network(): Network {
    this.#linksSnapshot ??= new Map(this.#links);
    this.#formerNamesSnapshot ??= new Map(this.#formerNames);
    this.#snapshot ??= {
      links: this.#linksSnapshot,
      addresses: [...this.#addresses.values()],
      defaultRoutes: this.#routing.defaultRoutes,
      egress: this.#routing.egress,
      formerNames: this.#formerNamesSnapshot,
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
    this.#linksSnapshot = undefined;
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
    this.#linksSnapshot = undefined;
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
    this.#formerNamesSnapshot = undefined;
    setLatest(this.#formerNames, index, name, MOST_FORMER_NAMES);
  }

  #applyAddress({ change, address }: Change<"address", Address>): Consequences {
    if (change === "new") {
      this.#addresses.set(keyOf(address), address);
      return { missed: !this.#links.has(address.ifIndex) };
    }
    this.#addresses.delete(keyOf(address));
    return { routing: this.#routing.defaultRoutes.some((route) => this.#leavesWith(route, address)) };
  }

  /**
   * Whether a route goes with an address that is gone: one that names it as its source, or needs the link of which it
   * was the last address of the family (net/ipv4/fib_frontend.c, fib_del_ifaddr and fib_inetaddr_event).
   */
  #leavesWith({ source, family, hops }: Route, gone: Address): boolean {
    if (source === gone.address) return true;
    if (family !== gone.family || !hops.some(({ ifIndex }) => ifIndex === gone.ifIndex)) return false;
    for (const other of this.#addresses.values())
      if (other.ifIndex === gone.ifIndex && other.family === gone.family) return false;
    return true;
  }
}

/** More than there can be endpoints whose link is gone. */
const MOST_FORMER_NAMES = 255;

/** The kernel may hold one address several times on a link, with other prefix lengths or peers. */
function keyOf({ ifIndex, address, prefixLength, peer }: Address): string {
  return `${ifIndex} ${address}/${prefixLength} ${peer ?? ""}`;
}
