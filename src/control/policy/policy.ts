import { remember } from "../../base/remember.ts";
import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import { placeOf } from "../network/network.ts";
import type { Reason } from "./address-state.ts";
import type { CurrentEndpoint, Decision, DesiredEndpoint, Outcome } from "./decision.ts";
import { holdSurplus, type SurplusEndpoint, surplusEndpoints } from "./held-endpoints.ts";
import { type HostAddress, hostAddresses } from "./host-addresses.ts";
import { type OwnEndpoint, ownEndpoints, type PolicyInput, type Wish, wantedIn } from "./input.ts";
import { type Contender, compareContenders, seat } from "./slots.ts";

/**
 * Decides which addresses become endpoints, and says why or why not. A pure function: the daemon acts on its result and
 * `mptcpctl explain` prints it, from the same inputs. The decision about an unusable address is remembered with the
 * address, so that the work grows only with the number of usable addresses.
 *
 * @returns one decision for each address of each interface, and one for each endpoint of ours without such an address
 */
export function decide(input: PolicyInput): Decision[] {
  const { network, config, capacity, current } = input;
  const hosts = hostAddresses(network, config);
  const own = ownEndpoints(input);
  const verdicts: Verdicts = new Map();
  const candidates = candidatesOf(hosts, own, wantedIn(input.wanted), verdicts);
  const foreign = own.length === current.length ? none : current.filter(({ ours }) => !ours);
  const unserved = foreign.length === 0 ? candidates : withoutServed(candidates, foreign, verdicts);
  const surplus = own.length === 0 ? none : surplusEndpoints(input, own, unserved);
  const held = surplus.length === 0 ? none : holdSurplus(input, surplus, candidates.length > 0);
  const contenders = withoutWaiting(unserved, held, verdicts);
  decideSlots(contenders, capacity - foreign.length - held.length, verdicts);

  const heldPlaces = held.length === 0 ? undefined : new Set(held.map(placeOf));
  const decisions: Decision[] = [];
  for (const host of hosts) {
    // An address whose endpoint is held has one decision, not two.
    if (heldPlaces?.has(host.place)) continue;
    const decision = verdicts.get(host);
    if (decision !== undefined) decisions.push(decision);
  }
  decisions.push(...held);
  if (surplus.length > held.length) decisions.push(...decideUnassigned(surplus, decisions));
  return decisions;
}

const none: readonly never[] = [];

/** The endpoints that decisions ask for. */
export function desiredEndpoints(decisions: readonly Decision[]): DesiredEndpoint[] {
  const endpoints: DesiredEndpoint[] = [];
  for (const { endpoint } of decisions) if (endpoint !== undefined) endpoints.push(endpoint);
  return endpoints;
}

/** The decisions about addresses. */
type Verdicts = Map<HostAddress, Decision>;

/** An address that may become an endpoint, with everything that the decision about it needs. */
interface Candidate extends Contender {
  readonly host: HostAddress;
  readonly place: string;
  readonly desired: DesiredEndpoint;
  /** Set by `rank`. */
  alias: boolean;
}

/** Every address that can be used, best first; decides about the others. */
function candidatesOf(
  hosts: readonly HostAddress[],
  own: readonly OwnEndpoint[],
  wishOf: (host: HostAddress) => Wish,
  verdicts: Verdicts,
): Candidate[] {
  const live = new Map<string, Endpoint>();
  for (const { place, endpoint } of own) live.set(place, endpoint);
  const candidates: Candidate[] = [];
  for (const host of hosts) {
    const { flags, port, priority, reason } = wishOf(host);
    if (reason) {
      verdicts.set(host, unusable(host, reason));
      continue;
    }
    const { address, place, hasDefaultRoute, uniqueLocal, created } = host;
    const endpoint = live.get(place);
    candidates.push({
      host,
      address,
      ifIndex: host.ifIndex,
      place,
      priority,
      alias: false,
      live: endpoint !== undefined,
      hasDefaultRoute,
      uniqueLocal,
      created,
      // An adopted endpoint without a device stays without one: binding it would break its subflows.
      desired: { address, port, flags, ifIndex: endpoint?.ifIndex ?? host.ifIndex },
    });
  }
  return rank(candidates);
}

/** Sorts candidates, best first. Every usable address except the best of its interface and family is an alias. */
function rank(candidates: Candidate[]): Candidate[] {
  candidates.sort(compareContenders);
  const first = new Set<number>();
  let hasAliases = false;
  for (const candidate of candidates) {
    const group = 8 * candidate.ifIndex + candidate.host.family;
    candidate.alias = first.has(group);
    hasAliases ||= candidate.alias;
    first.add(group);
  }
  return hasAliases ? candidates.sort(compareContenders) : candidates;
}

function verdict(
  { host, desired }: Candidate,
  outcome: Outcome,
  { code, text }: Reason,
  rank?: number,
): Decision {
  const { address, ifIndex, interfaceName } = host;
  const endpoint = outcome === "endpoint" ? desired : undefined;
  return { address, ifIndex, interfaceName, outcome, code, reason: text, endpoint, rank };
}

const unusable = remember(
  ({ address, ifIndex, interfaceName }: HostAddress, { code, text }: Reason): Decision => ({
    ...{ address, ifIndex, interfaceName, outcome: "unusable", code, reason: text },
    ...{ endpoint: undefined, rank: undefined },
  }),
);

/** The candidates that no endpoint of somebody else covers; decides about the others. */
function withoutServed(
  candidates: readonly Candidate[],
  foreign: readonly CurrentEndpoint[],
  verdicts: Verdicts,
): readonly Candidate[] {
  if (foreign.length === 0) return candidates;
  return candidates.filter((candidate) => {
    const server = servingEndpoint(foreign, candidate.desired);
    if (server === undefined) return true;
    const { address } = candidate.host;
    const text =
      `endpoint ${server.id} (not made by mptcpd) already covers it; ` +
      `\`mptcpctl adopt ${address}\` takes it over`;
    verdicts.set(candidate.host, verdict(candidate, "served", { code: "foreign-endpoint", text }));
    return false;
  });
}

/**
 * The endpoint of somebody else that has an address. The kernel tells endpoints apart by address, and by port if one
 * is set. The kernel replaces an implicit endpoint by itself (net/mptcp/pm_kernel.c,
 * mptcp_pm_nl_append_new_local_addr).
 */
function servingEndpoint(
  foreign: readonly CurrentEndpoint[],
  { address, port }: DesiredEndpoint,
): Endpoint | undefined {
  for (const { endpoint } of foreign)
    if (endpoint.address === address && endpoint.port === port && !endpoint.flags.has("implicit"))
      return endpoint;
  return undefined;
}

/**
 * The candidates that contend for slots; decides about the others, which wait however many slots there are. Addresses
 * that are endpoints now come first: the kernel takes an address only once, and `max` counts endpoints.
 */
function withoutWaiting(
  candidates: readonly Candidate[],
  held: readonly Decision[],
  verdicts: Verdicts,
): readonly Candidate[] {
  const admission = new Admission(held);
  const waiting = new Set<Candidate>();
  for (const isLive of [true, false])
    for (const candidate of candidates) {
      const reason = candidate.live === isLive ? admission.whyNot(candidate) : undefined;
      if (reason === undefined) continue;
      waiting.add(candidate);
      verdicts.set(candidate.host, verdict(candidate, "waiting", reason));
    }
  return waiting.size === 0 ? candidates : candidates.filter((candidate) => !waiting.has(candidate));
}

/**
 * Admits one candidate after another. If candidates have the same address, the first gets it. All of them wait while
 * the endpoint of a deleted interface is held for that address.
 */
class Admission {
  /** By address: the interface whose endpoint has it. */
  readonly #winners = new Map<string, string>();
  /** By interface and rule. */
  readonly #counts = new Map<string, number>();

  constructor(held: readonly Decision[]) {
    for (const { address, interfaceName } of held) this.#winners.set(address, interfaceName);
  }

  whyNot({ address, host }: Candidate): Reason | undefined {
    const winner = this.#winners.get(address);
    if (winner !== undefined) return { code: "same-address", text: `already an endpoint on ${winner}` };
    this.#winners.set(address, host.interfaceName);
    return host.rule?.max === undefined
      ? undefined
      : this.#whyOverMaximum(host, host.rule.name, host.rule.max);
  }

  /** `max` counts the endpoints that a rule gives one interface. */
  #whyOverMaximum(host: HostAddress, rule: string, maximum: number): Reason | undefined {
    const { ifIndex, interfaceName } = host;
    const key = `${ifIndex}/${rule}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= maximum) return undefined;
    return { code: "over-maximum", text: `[path ${rule}] allows ${maximum} on ${interfaceName}` };
  }
}

/** @param contenders best first */
function decideSlots(contenders: readonly Candidate[], slots: number, verdicts: Verdicts): void {
  const seated = contenders.length <= slots ? undefined : seat(contenders, slots);
  let rank = 0;
  for (const candidate of contenders) {
    const { host } = candidate;
    rank++;
    if (seated === undefined || seated.has(candidate)) {
      const text = host.rule ? `usable, [path ${host.rule.name}]` : "usable";
      verdicts.set(host, verdict(candidate, "endpoint", { code: "usable", text }, rank));
    } else {
      const text = `ranked ${rank} of ${contenders.length} for ${Math.max(slots, 0)} slots`;
      verdicts.set(host, verdict(candidate, "waiting", { code: "no-slot", text }, rank));
    }
  }
}

/** Decides about the endpoints of ours that are deleted because no interface has their address. */
function decideUnassigned(surplus: readonly SurplusEndpoint[], decisions: readonly Decision[]): Decision[] {
  const named = new Set(decisions.map(placeOf));
  return surplus.flatMap(
    ({ endpoint: { address }, place, ifIndex, interfaceName, reason: { code, text } }) => {
      if (named.has(place)) return [];
      return {
        address,
        ifIndex,
        interfaceName,
        outcome: "unusable",
        code,
        reason: text,
        endpoint: undefined,
      };
    },
  );
}
