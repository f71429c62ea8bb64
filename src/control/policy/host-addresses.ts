/**
 * `hostAddresses`: every address of the host with its [path] rule, its flags, and the obstacles that keep subflows from
 * it. address-state.ts tells whether an address can be used at all, whatever the configuration says.
 */
import { remember } from "../../base/remember.ts";
import type { Address } from "../../kernel/addresses.ts";
import type { Link } from "../../kernel/links.ts";
import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { type Config, isBuiltIn, type PathRule } from "../config/config.ts";
import { matchesAddress, matchesInterface } from "../config/match.ts";
import {
  type Egress,
  type Family,
  hasDefaultRoute,
  isIpv4Continuity,
  isTunnel,
  type Network,
  placeOf,
} from "../network/network.ts";
import { classOf, isTemporary, type Reason, whyLinkUnusable, whyUnusable } from "./address-state.ts";
import { type Behind, ignoredBy, lookBehind, whyGuests } from "./guest-interfaces.ts";
import { compareContenders, type Ranked } from "./slots.ts";

/** The part of the configuration that decides about addresses. */
export type PolicyConfig = Pick<Config, "addressFlags" | "notifyFlags" | "paths">;

/** An address of the host, with everything that follows from the network and the configuration alone. */
export interface HostAddress extends Ranked {
  readonly family: Family;
  readonly interfaceName: string;
  /** As a key: `placeOf`. */
  readonly place: string;
  /** The [path] section of the file that applies to it. */
  readonly rule: PathRule | undefined;
  /** The flags of its rule, or else `addr-flags`. */
  readonly flags: Bits<EndpointFlag>;
  /** The port of its rule, to announce it with; 0: none. */
  readonly port: number;
  readonly obstacles: Obstacles;
  /** Why no subflow may go from it: the first of the obstacles; undefined: subflows may. */
  readonly reason: Reason | undefined;
}

/** The obstacles that keep subflows from an address; each is enough by itself. */
export interface Obstacles {
  /** The address or its link cannot be used, whatever the configuration says. */
  readonly unusable: Reason | undefined;
  /** The administrator wants no endpoint here. */
  readonly refused: Reason | undefined;
  /** The link leads to guests of this host. Not examined if one of the above is set. */
  readonly guests: Reason | undefined;
  /** `check_route` keeps it back. */
  readonly noRoute: Reason | undefined;
}

/**
 * Every address of every link, in the network's order. This is the only place that applies [path] sections. If one
 * address is the only change, only that address is described again.
 */
export const hostAddresses = remember((network: Network, config: PolicyConfig): readonly HostAddress[] => {
  const surroundings = surroundingsOf(network, config);
  const hosts: HostAddress[] = [];
  for (const address of network.addresses) {
    const link = network.links.get(address.ifIndex);
    if (link === undefined) continue;
    const last = results.get(address);
    if (last?.surroundings === surroundings) hosts.push(last.host);
    else {
      const host = describe(network, surroundings, link, address);
      // A temporary address is judged by its siblings, too.
      if (!isTemporary(address)) results.set(address, { surroundings, host });
      hosts.push(host);
    }
  }
  return hosts;
});

/** The addresses that subflows may go from, best first. */
export const usableAddresses = remember((network: Network, config: PolicyConfig): readonly HostAddress[] => {
  const usable = hostAddresses(network, config).filter(({ reason }) => reason === undefined);
  // The kernel may hold an address several times on a link, with other prefix lengths.
  const distinct = new Map(usable.map((address) => [address.place, address]));
  return [...distinct.values()].sort(compareContenders);
});

/** The last description of each address object. Each full reading of the network makes new objects. */
const results = new WeakMap<Address, { readonly surroundings: Surroundings; readonly host: HostAddress }>();

/** Everything that a result depends on, apart from the address and its link. */
interface Surroundings {
  readonly config: PolicyConfig;
  /** The first network with these. Later networks differ only in addresses that make no difference to others. */
  readonly network: Network;
  /** No address can make a difference to other addresses. */
  readonly isIndifferent: boolean;
  /** Gateways that are addresses of this host. */
  readonly ownGateways: string;
  /** The tunnels that carry IPv4 over IPv6. */
  readonly continuity: string;
}

const latest = new WeakMap<Network["links"], Surroundings>();

/** The same object for networks that differ only in addresses, unless such an address makes a difference to others. */
function surroundingsOf(network: Network, config: PolicyConfig): Surroundings {
  const { links, defaultRoutes, egress, addresses } = network;
  const last = latest.get(links);
  const isNear =
    last?.config === config && last.network.defaultRoutes === defaultRoutes && last.network.egress === egress;
  if (isNear && last.isIndifferent) return last;
  const gateways = gatewaysOf(defaultRoutes, undefined);
  const tunnels = tunnelsOf(egress, links);
  let ownGateways = "";
  for (const { address } of addresses) if (gateways.has(address)) ownGateways += `${address} `;
  let continuity = "";
  for (const tunnel of tunnels) if (isIpv4Continuity(network, tunnel)) continuity += `${tunnel.index} `;
  if (isNear && last.ownGateways === ownGateways && last.continuity === continuity) return last;
  const isIndifferent = gateways.size === 0 && tunnels.length === 0;
  const surroundings = { config, network, isIndifferent, ownGateways, continuity };
  latest.set(links, surroundings);
  return surroundings;
}

const gatewaysOf = remember(
  (routes: Network["defaultRoutes"]): ReadonlySet<string> =>
    new Set(routes.flatMap(({ hops }) => hops.flatMap(({ gateway }) => gateway ?? []))),
);

/** The ways out that are tunnels. */
const tunnelsOf = remember((egress: Network["egress"], links: Network["links"]): readonly Link[] =>
  egress
    .flatMap(({ ifIndex, sharedWith = [] }) => [ifIndex, ...sharedWith])
    .flatMap((index) => links.get(index) ?? [])
    .filter(isTunnel),
);

function describe(network: Network, surroundings: Surroundings, link: Link, address: Address): HostAddress {
  const { config } = surroundings;
  const ground = groundOf(link, surroundings);
  const deciding = ruleFor(ground, address);
  const rule = deciding && isBuiltIn(deciding) ? undefined : deciding;
  const { hasDefaultRoute, bypassing } = ground[address.family];
  const unusable = ground.isLoopback ? ground.unusable : (whyUnusable(network, address) ?? ground.unusable);
  const refused = whyIgnored(rule) ?? (rule?.bypassTunnel ? undefined : bypassing);
  const guests = unusable || refused ? undefined : whyGuests(ground.behind, deciding);
  const noRoute = hasDefaultRoute ? undefined : whyNoRoute(config, link, address);
  return {
    address: address.address,
    family: address.family,
    ifIndex: link.index,
    interfaceName: link.name,
    place: placeOf(address),
    rule,
    flags: rule?.flags ?? config.addressFlags,
    port: rule?.port ?? 0,
    priority: rule?.priority ?? 0,
    hasDefaultRoute,
    uniqueLocal: classOf(address) === "unique-local",
    created: address.created,
    obstacles: { unusable, refused, guests, noRoute },
    reason: unusable ?? refused ?? guests ?? noRoute,
  };
}

/** Everything that all addresses of a link have in common. */
interface Ground extends Readonly<Record<Family, WayOut>> {
  /** The [path] sections whose conditions on interfaces the link meets, in their order. */
  readonly rules: readonly PathRule[];
  readonly isLoopback: boolean;
  /** Why none of its addresses can be an endpoint. */
  readonly unusable: Reason | undefined;
  readonly behind: Behind;
}

/** How a family's traffic leaves by a link. */
interface WayOut {
  readonly hasDefaultRoute: boolean;
  /** The tunnel that its traffic would bypass. */
  readonly bypassing: Reason | undefined;
}

const groundOf = remember((link: Link, { network, config }: Surroundings): Ground => {
  const interfaceNames = [link.name, ...link.altNames];
  const wayOut = (family: Family): WayOut => ({
    hasDefaultRoute: hasDefaultRoute(network, link.index, family),
    bypassing: whyBypassing(network, link, family),
  });
  return {
    rules: config.paths.filter((rule) => matchesInterface(rule, { interfaceNames, kind: link.kind })),
    isLoopback: link.flags.has("loopback"),
    unusable: whyLinkUnusable(network, link),
    behind: lookBehind(network, link),
    ...{ 4: wayOut(4), 6: wayOut(6) },
  };
});

/** The first [path] section of the file that matches an address applies to it, or else the built-in section. */
function ruleFor({ rules }: Ground, { address }: Address): PathRule | undefined {
  for (const rule of rules) if (rule.matchAddress === undefined || matchesAddress(rule, address)) return rule;
  return undefined;
}

function whyIgnored(rule: PathRule | undefined): Reason | undefined {
  return rule?.ignore ? { code: "ignored", text: ignoredBy(rule) } : undefined;
}

/** Why `check_route` keeps back an address: its link has no default route. */
function whyNoRoute({ notifyFlags }: PolicyConfig, link: Link, { family }: Address): Reason | undefined {
  if (!notifyFlags.has("check_route")) return undefined;
  return { code: "no-default-route", text: `${link.name} has no IPv${family} default route (check_route)` };
}

/**
 * If the host's traffic to the Internet leaves by a layer-3 tunnel, a connection through the tunnel must not get a
 * subflow outside it, of either family: a peer announces addresses of both families.
 */
function whyBypassing(network: Network, link: Link, family: Family): Reason | undefined {
  let bypassed: Link | undefined;
  for (const egress of network.egress) {
    const tunnel = network.links.get(egress.ifIndex);
    if (!tunnel || !hides(network, egress, family)) continue;
    if (tunnel === link) return undefined;
    bypassed ??= tunnel;
  }
  return bypassed && { code: "bypasses-tunnel", text: `would bypass ${bypassed.name}` };
}

/** Whether traffic of a family has to stay in a link by which it leaves, such as a VPN's tunnel. */
function hides(network: Network, { family, ifIndex, sharedWith = [] }: Egress, ofFamily: Family): boolean {
  // If one next hop of the route is not a tunnel, the host itself sends some of its connections outside the tunnels.
  return [ifIndex, ...sharedWith].every((index) => {
    const link = network.links.get(index);
    if (!link || !isTunnel(link)) return false;
    // A sit tunnel brings IPv6 to a host without native IPv6; it does not hide IPv4.
    if (link.kind === "sit" && ofFamily === 4) return false;
    return family === 6 || !isIpv4Continuity(network, link);
  });
}
