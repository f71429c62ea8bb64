import { remember } from "../../base/remember.ts";
import { type Family, hasDefaultRoute, type Network, placeOf } from "../../control/network/network.ts";
import { whyLinkDown } from "../../control/policy/address-state.ts";
import { type HostAddress, type PolicyConfig, usableAddresses } from "../../control/policy/host-addresses.ts";
import type { Address } from "../../kernel/addresses.ts";
import type { Link, LinkFlag } from "../../kernel/links.ts";
import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { Route } from "../../kernel/routes.ts";

/** An address of this host that subflows may go from, with what the configuration says of it. */
export interface LocalAddress {
  readonly address: string;
  readonly family: Family;
  readonly ifIndex: number;
  /** The interface's name. */
  readonly interface: string;
  /** Of its [path] section, or else `addr-flags`. */
  readonly flags: Bits<EndpointFlag>;
  /** The port to announce it with; 0 none. */
  readonly port: number;
  /** Lower is better. */
  readonly priority: number;
}

/** An interface that packets can leave by. */
export interface NetworkInterface {
  readonly index: number;
  readonly name: string;
  /** As `ip -d link` has it ("wireguard", "vlan"); "physical" for what has none. */
  readonly kind: string;
  readonly flags: Bits<LinkFlag>;
  /** Whether packets to anywhere can leave by it, of either family. */
  readonly hasDefaultRoute: boolean;
  /** Best first. Without those that are of no use: link-local, tentative, deprecated, ignored by the configuration… */
  readonly addresses: readonly LocalAddress[];
}

/** The network as path managers see it. A snapshot: it never changes. */
export interface NetworkView {
  /** Those that are up and have a carrier, without the loopback. */
  readonly interfaces: readonly NetworkInterface[];
  /** Those of them with an address, best first: by priority, then those with a default route. */
  readonly uplinks: readonly NetworkInterface[];
  /** Of all interfaces, best first. */
  readonly addresses: readonly LocalAddress[];
  /** The text of every address of an interface that is up and has a carrier, also of those that are of no use here. */
  readonly assigned: ReadonlySet<string>;
  /** Of every table; also the two halves (/1) that tunnels put in place of one. */
  readonly defaultRoutes: readonly Route[];
}

/** The view of a network; the same for the same network and configuration. */
export const viewNetwork = remember((network: Network, config: PolicyConfig): NetworkView => {
  const addresses = usableAddresses(network, config).map(toLocalAddress);
  const links = [...network.links.values()].filter(isOpen);
  const interfaces = links.map((link) => toInterface(network, link, addresses));
  return {
    interfaces,
    uplinks: [...new Set(addresses.map(({ ifIndex }) => ifIndex))].flatMap((index) =>
      interfaces.filter((one) => one.index === index),
    ),
    addresses,
    assigned: assignedIn(network),
    defaultRoutes: network.defaultRoutes,
  };
});

function assignedIn({ links, addresses }: Network): Set<string> {
  const works = ({ ifIndex }: Address): boolean => {
    const link = links.get(ifIndex);
    return link !== undefined && whyLinkDown(link) === undefined;
  };
  return new Set(addresses.filter(works).map(({ address }) => address));
}

function isOpen(link: Link): boolean {
  return !link.flags.has("loopback") && whyLinkDown(link) === undefined;
}

function toInterface(network: Network, link: Link, addresses: readonly LocalAddress[]): NetworkInterface {
  const { index, name, kind = "physical", flags } = link;
  return {
    index,
    name,
    kind,
    flags,
    hasDefaultRoute: hasDefaultRoute(network, index, 4) || hasDefaultRoute(network, index, 6),
    addresses: addresses.filter(({ ifIndex }) => ifIndex === index),
  };
}

function toLocalAddress(usable: HostAddress): LocalAddress {
  const { address, family, ifIndex, interfaceName, flags, port, priority } = usable;
  return { address, family, ifIndex, interface: interfaceName, flags, port, priority };
}

/**
 * What is different in a network, in an order in which it can be followed: an interface is there while its addresses
 * are.
 */
export type NetworkChange =
  | { readonly type: "newInterface" | "deleteInterface"; readonly interface: NetworkInterface }
  | {
      readonly type: "updateInterface";
      readonly interface: NetworkInterface;
      readonly before: NetworkInterface;
    }
  | {
      readonly type: "newLocalAddress" | "deleteLocalAddress";
      readonly address: LocalAddress;
      readonly interface: NetworkInterface;
    };

export const emptyView: NetworkView = {
  ...{ interfaces: [], uplinks: [], addresses: [], defaultRoutes: [] },
  assigned: new Set(),
};

export function compareNetworks(before: NetworkView, after: NetworkView): NetworkChange[] {
  if (before === after) return [];
  const old = new Map(before.interfaces.map((one) => [one.index, one]));
  const now = new Map(after.interfaces.map((one) => [one.index, one]));
  return [
    ...missing(before.interfaces, now).map((change) => ({ type: "deleteLocalAddress", ...change }) as const),
    ...before.interfaces
      .filter(({ index }) => !now.has(index))
      .map((one) => ({ type: "deleteInterface", interface: one }) as const),
    ...after.interfaces.flatMap((one): NetworkChange[] => {
      const former = old.get(one.index);
      if (former === undefined) return [{ type: "newInterface", interface: one }];
      return isSame(former, one) ? [] : [{ type: "updateInterface", interface: one, before: former }];
    }),
    ...missing(after.interfaces, old).map((change) => ({ type: "newLocalAddress", ...change }) as const),
  ];
}

/** The addresses of interfaces that are not among those of others. */
function missing(
  interfaces: readonly NetworkInterface[],
  others: ReadonlyMap<number, NetworkInterface>,
): { address: LocalAddress; interface: NetworkInterface }[] {
  const known = new Set([...others.values()].flatMap(({ addresses }) => addresses.map(placeOf)));
  return interfaces.flatMap((one) =>
    one.addresses
      .filter((address) => !known.has(placeOf(address)))
      .map((address) => ({ address, interface: one })),
  );
}

/** Addresses have changes of their own. */
function isSame(a: NetworkInterface, b: NetworkInterface): boolean {
  return (
    a.name === b.name &&
    a.kind === b.kind &&
    a.flags.equals(b.flags) &&
    a.hasDefaultRoute === b.hasDefaultRoute
  );
}
