import type { Address } from "../../kernel/addresses.ts";
import type { Link } from "../../kernel/links.ts";
import type { Config, PathRule } from "../config/config.ts";
import { isBuiltIn } from "../config/config.ts";
import { findRule } from "../config/match.ts";
import type { Egress, Family, Network } from "../network/network.ts";
import { hasDefaultRoute, isIpv4Continuity, isTunnel } from "../network/network.ts";
import { ignoredBy, whyGuests } from "./guests.ts";
import type { Reason } from "./usability.ts";
import { whyUnusable } from "./usability.ts";

/** What of the configuration decides over addresses. */
export type PolicyConfig = Pick<Config, "addressFlags" | "notifyFlags" | "paths">;

/** An address of the host, and whether subflows may go from it at all. */
export interface JudgedAddress {
  readonly address: Address;
  readonly link: Link;
  /** The [path] section of the file that decides over it. */
  readonly rule: PathRule | undefined;
  /** Why it is of no use, or the administrator wants it to be of none; undefined: it is of use. */
  readonly reason: Reason | undefined;
}

const judged = new WeakMap<Network, { readonly config: PolicyConfig; readonly addresses: JudgedAddress[] }>();

/** Every address of every link; remembered per network, since all who look at one ask for it. */
export function judgeAddresses(network: Network, config: PolicyConfig): readonly JudgedAddress[] {
  const known = judged.get(network);
  if (known?.config === config) return known.addresses;
  const addresses = network.addresses.flatMap((address) => {
    const link = network.links.get(address.ifIndex);
    if (!link) return [];
    const rule = ruleFor(config, link, address);
    const reason =
      whyUnusable(network, link, address) ??
      whyRefused(network, link, address, rule) ??
      whyGuests(network, link, rule) ??
      whyNoRoute(network, config, link, address);
    return { address, link, rule: rule && isBuiltIn(rule) ? undefined : rule, reason };
  });
  judged.set(network, { config, addresses });
  return addresses;
}

/** The [path] section that decides over an address, or the built-in one. */
export function ruleFor({ paths }: PolicyConfig, link: Link, address: Address): PathRule | undefined {
  if (paths.length === 0) return undefined;
  const interfaceNames = [link.name, ...link.altNames];
  return findRule(paths, { interfaceNames, kind: link.kind, address: address.address });
}

/** Why the administrator wants no endpoint here: a rule says so, or it would lead past a tunnel. */
export function whyRefused(
  network: Network,
  link: Link,
  address: Address,
  rule: PathRule | undefined,
): Reason | undefined {
  if (rule?.ignore && !isBuiltIn(rule)) return { code: "ignored", text: ignoredBy(rule) };
  if (rule?.bypassTunnel) return undefined;
  return whyBypassing(network, link, address);
}

/** Why `check_route` keeps an address back. */
export function whyNoRoute(
  network: Network,
  { notifyFlags }: PolicyConfig,
  link: Link,
  address: Address,
): Reason | undefined {
  if (!notifyFlags.has("check_route")) return undefined;
  if (hasDefaultRoute(network, link.index, address.family)) return undefined;
  return {
    code: "no-default-route",
    text: `${link.name} has no IPv${address.family} default route (check_route)`,
  };
}

/**
 * Where the host's traffic to the Internet leaves by a layer-3 tunnel, a connection through it must not get a
 * subflow outside it, of either family: a peer announces both.
 */
function whyBypassing(network: Network, link: Link, address: Address): Reason | undefined {
  let bypassed: Link | undefined;
  for (const egress of network.egress) {
    const tunnel = network.links.get(egress.ifIndex);
    if (!tunnel || !hides(network, egress, address.family)) continue;
    if (tunnel === link) return undefined;
    bypassed ??= tunnel;
  }
  return bypassed && { code: "bypasses-tunnel", text: `would bypass ${bypassed.name}` };
}

/** Whether traffic of a family has to stay in a way out, as in a VPN's tunnel. */
function hides(network: Network, { family, ifIndex, sharedWith = [] }: Egress, ofFamily: Family): boolean {
  // Where one next hop of the route is no tunnel, the host itself sends a part of its connections past the others.
  return [ifIndex, ...sharedWith].every((index) => {
    const link = network.links.get(index);
    if (!link || !isTunnel(link)) return false;
    // This is how a host without native IPv6 gets it, and not a way to hide IPv4.
    if (link.kind === "sit" && ofFamily === 4) return false;
    return family === 6 || !isIpv4Continuity(network, link);
  });
}
