import type { PathRule } from "../config/config.ts";
import { findRule } from "../config/match.ts";
import type { Address } from "../kernel/addresses.ts";
import type { Link } from "../kernel/links.ts";
import type { Endpoint } from "../kernel/mptcp-pm.ts";
import type { Network } from "../network/network.ts";
import { familyOf, hasDefaultRoute, isTunnel } from "../network/network.ts";
import type { DesiredEndpoint } from "./decision.ts";
import type { PolicyInput } from "./input.ts";
import { homeOf, placeOf } from "./input.ts";
import type { Contender } from "./slots.ts";
import { compareContenders } from "./slots.ts";
import type { Reason } from "./usability.ts";
import { classOf, whyUnusable } from "./usability.ts";

/** An address that may become an endpoint, with all that decides over it. */
export interface Candidate extends Contender {
  readonly interfaceName: string;
  readonly rule: PathRule | undefined;
  /** Why it can be none; undefined: it can. */
  readonly reason: Reason | undefined;
  readonly desired: DesiredEndpoint;
}

/** Every address of every link, judged by itself. */
export function candidatesOf(input: PolicyInput): Candidate[] {
  const { network, config } = input;
  const live = new Map<string, Endpoint>();
  for (const { endpoint, ours } of input.current) {
    if (ours) live.set(placeOf({ address: endpoint.address, ifIndex: homeOf(network, endpoint) }), endpoint);
  }
  const candidates: Candidate[] = [];
  for (const address of network.addresses) {
    const link = network.links.get(address.ifIndex);
    if (!link) continue;
    const rule = ruleFor(input, link, address);
    const endpoint = live.get(placeOf(address));
    candidates.push({
      address: address.address,
      ifIndex: address.ifIndex,
      interfaceName: link.name,
      rule,
      reason:
        whyUnusable(network, link, address) ??
        whyRefused(input, link, address, rule) ??
        whyNoRoute(input, link, address),
      priority: rule?.priority ?? 0,
      alias: false,
      live: endpoint !== undefined,
      hasDefaultRoute: hasDefaultRoute(network, address.ifIndex, address.family),
      uniqueLocal: classOf(address) === "unique-local",
      created: address.created,
      desired: {
        address: address.address,
        port: rule?.port ?? 0,
        flags: rule?.flags ?? config.addressFlags,
        // An adopted endpoint without a device stays so: binding it would break its subflows.
        ifIndex: endpoint?.ifIndex ?? address.ifIndex,
      },
    });
  }
  return markAliases(candidates);
}

/** The [path] section that decides over an address. */
export function ruleFor({ config }: PolicyInput, link: Link, address: Address): PathRule | undefined {
  if (config.paths.length === 0) return undefined;
  const interfaceNames = [link.name, ...link.altNames];
  return findRule(config.paths, { interfaceNames, kind: link.kind, address: address.address });
}

/** Why the administrator wants no endpoint here: a rule says so, or it would lead past a tunnel. */
export function whyRefused(
  { network }: PolicyInput,
  link: Link,
  address: Address,
  rule: PathRule | undefined,
): Reason | undefined {
  if (rule?.ignore) return { code: "ignored", text: `ignored by [path ${rule.name}] (${rule.source})` };
  if (rule?.bypassTunnel) return undefined;
  return whyBypassing(network, link, address);
}

/** Why `check_route` keeps an address back. */
export function whyNoRoute(
  { network, config }: PolicyInput,
  link: Link,
  address: Address,
): Reason | undefined {
  if (!config.notifyFlags.has("check_route")) return undefined;
  if (hasDefaultRoute(network, link.index, address.family)) return undefined;
  return {
    code: "no-default-route",
    text: `${link.name} has no IPv${address.family} default route (check_route)`,
  };
}

/**
 * Where the host's traffic to the Internet leaves by a layer-3 tunnel, a connection through it must not get a
 * subflow outside it, of either family: a peer announces both. A sit tunnel is how hosts without native IPv6
 * get it, not a way to hide IPv4, and counts for IPv6 alone.
 */
function whyBypassing(network: Network, link: Link, address: Address): Reason | undefined {
  let bypassed: Link | undefined;
  for (const { ifIndex } of network.egress) {
    const egress = network.links.get(ifIndex);
    if (!egress || !isTunnel(egress) || (egress.kind === "sit" && address.family === 4)) continue;
    if (ifIndex === link.index) return undefined;
    bypassed ??= egress;
  }
  return bypassed && { code: "bypasses-tunnel", text: `would bypass ${bypassed.name}` };
}

/** Every usable address but the best of its interface and family is an alias. */
function markAliases(candidates: readonly Candidate[]): Candidate[] {
  const group = ({ ifIndex, address }: Candidate): string => `${ifIndex}/${familyOf(address)}`;
  const firsts = new Map<string, Candidate>();
  for (const candidate of candidates) {
    if (candidate.reason) continue;
    const first = firsts.get(group(candidate));
    if (!first || compareContenders(candidate, first) < 0) firsts.set(group(candidate), candidate);
  }
  return candidates.map((candidate) =>
    candidate.reason || firsts.get(group(candidate)) === candidate
      ? candidate
      : { ...candidate, alias: true },
  );
}
