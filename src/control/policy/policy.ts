import { remember } from "../../base/remember.ts";
import type { Endpoint, Limits } from "../../kernel/mptcp-pm.ts";
import { placeOf } from "../network/network.ts";
import type { Reason } from "./address-state.ts";
import type { CurrentEndpoint, Decision, DesiredEndpoint, Outcome } from "./decision.ts";
import { holdSurplus, type SurplusEndpoint, surplusEndpoints } from "./held-endpoints.ts";
import { type HostAddress, hostAddresses } from "./host-addresses.ts";
import { type OwnEndpoint, ownEndpoints, type PolicyInput, type Wish, wantedIn } from "./input.ts";
import { type Contender, compareContenders, seat } from "./slots.ts";

/**
 * Decides which addresses become endpoints, and says why or why not. A pure function: the daemon acts on it
 * and `mptcpctl explain` prints it, from the same inputs. What it says of an address that cannot be used is remembered
 * with the address, so that its work grows with the usable ones alone.
 *
 * @returns one decision for each address of each interface, and one for each endpoint of ours that has none
 */
export function decide(input: PolicyInput): Decision[] {
  const hosts = hostAddresses(input.network, input.config);
  const own = ownEndpoints(input);
  const wishOf = wantedIn(input.wanted);
  const verdicts = new Map<HostAddress, Decision>();
  const unserved: Candidate[] = [];
  const candidates = candidatesOf(hosts, own, wishOf);
  const foreign = input.current.filter(({ ours }) => !ours);
  for (const candidate of candidates) {
    const server = servingEndpoint(foreign, candidate.desired);
    if (server === undefined) unserved.push(candidate);
    else verdicts.set(candidate.host, verdict(candidate, "served", served(server)));
  }
  const surplus = surplusEndpoints(input, own, new Set(unserved.map(({ place }) => place)));
  const held = holdSurplus(input, surplus, candidates.length > 0);

  const admission = new Admission(held);
  // The kernel takes an address once, and `max` counts endpoints: who is live comes first.
  const contending = new Set<Candidate>();
  for (const isLive of [true, false])
    for (const candidate of unserved) {
      if (candidate.live !== isLive) continue;
      const reason = admission.whyNot(candidate);
      if (reason === undefined) contending.add(candidate);
      else verdicts.set(candidate.host, verdict(candidate, "waiting", reason));
    }
  const slots = input.capacity - foreign.length - held.length;
  decideSlots(
    unserved.filter((candidate) => contending.has(candidate)),
    slots,
    verdicts,
  );

  const heldPlaces = new Set(held.map(placeOf));
  const decisions: Decision[] = [];
  for (const host of hosts) {
    // An address whose endpoint is held has one decision, not two.
    if (heldPlaces.size > 0 && heldPlaces.has(host.place)) continue;
    const { reason } = wishOf(host);
    const decision = reason ? unusable(host, reason) : verdicts.get(host);
    if (decision !== undefined) decisions.push(decision);
  }
  decisions.push(...held);
  if (surplus.length > held.length) decisions.push(...decideUnassigned(surplus, decisions));
  return decisions;
}

/** The endpoints that decisions ask for. */
export function desiredEndpoints(decisions: readonly Decision[]): DesiredEndpoint[] {
  const endpoints: DesiredEndpoint[] = [];
  for (const { endpoint } of decisions) if (endpoint !== undefined) endpoints.push(endpoint);
  return endpoints;
}

/** An address that may become an endpoint, with all that decides over it. */
interface Candidate extends Contender {
  readonly host: HostAddress;
  readonly place: string;
  readonly desired: DesiredEndpoint;
  /** Set by `rank`. */
  alias: boolean;
}

/** Every address that can be used, judged by itself; best first. */
function candidatesOf(
  hosts: readonly HostAddress[],
  own: readonly OwnEndpoint[],
  wishOf: (host: HostAddress) => Wish,
): Candidate[] {
  const live = new Map<string, Endpoint>();
  for (const { place, endpoint } of own) live.set(place, endpoint);
  const candidates: Candidate[] = [];
  for (const host of hosts) {
    const { flags, port, priority, reason } = wishOf(host);
    if (reason) continue;
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
      // An adopted endpoint without a device stays so: binding it would break its subflows.
      desired: { address, port, flags, ifIndex: endpoint?.ifIndex ?? host.ifIndex },
    });
  }
  return rank(candidates);
}

/** Sorts, best first. Every usable address but the best of its interface and family is an alias. */
function rank(candidates: Candidate[]): Candidate[] {
  candidates.sort(compareContenders);
  const first = new Set<string>();
  let hasAliases = false;
  for (const candidate of candidates) {
    const group = `${candidate.ifIndex}/${candidate.host.family}`;
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

/**
 * The endpoint of somebody else's that has an address. The kernel tells endpoints apart by address, and by
 * port where one is set; an implicit one it replaces by itself (net/mptcp/pm_kernel.c,
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

function served({ id }: Endpoint): Reason {
  return { code: "foreign-endpoint", text: `endpoint ${id} has it, which somebody else made` };
}

/**
 * Says which candidates have to wait whatever the number of slots. Of candidates with the same address the first gets
 * it; every one of them waits while the endpoint of an interface that is gone is held.
 */
class Admission {
  /** By address: the interface that has it. */
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
    return this.#whyOverMaximum(host);
  }

  /** `max` counts the endpoints that a rule gives one interface. */
  #whyOverMaximum({ rule, ifIndex, interfaceName }: HostAddress): Reason | undefined {
    if (rule?.max === undefined) return undefined;
    const key = `${ifIndex}/${rule.name}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= rule.max) return undefined;
    return { code: "over-maximum", text: `[path ${rule.name}] allows ${rule.max} on ${interfaceName}` };
  }
}

/** @param contenders best first */
function decideSlots(
  contenders: readonly Candidate[],
  slots: number,
  verdicts: Map<HostAddress, Decision>,
): void {
  const seated = seat(contenders, slots);
  for (const [index, candidate] of contenders.entries()) {
    const { host } = candidate;
    if (seated.has(candidate)) {
      const text = host.rule ? `usable, [path ${host.rule.name}]` : "usable";
      verdicts.set(host, verdict(candidate, "endpoint", { code: "usable", text }, index + 1));
    } else {
      const text = `ranked ${index + 1} of ${contenders.length} for ${Math.max(slots, 0)} slots`;
      verdicts.set(host, verdict(candidate, "waiting", { code: "no-slot", text }, index + 1));
    }
  }
}

/** Names the endpoints of ours that go and whose address no interface has. */
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

/** Subflows beside the endpoints that limits have to leave room for, as the C mptcpd has it. */
const SPARE_SUBFLOWS = 2;

/**
 * The limits that a set of endpoints needs. Values that are enough stay; a value that is not becomes the kernel's
 * maximum, since nobody knows how many addresses a peer will announce. Never below the present values.
 *
 * - Enough are two subflows more than there are endpoints. With `fullmesh` only the maximum is: endpoints times the
 *   peer's addresses.
 * - Announced addresses are accepted where an endpoint may open subflows to them: `subflow`, `fullmesh`, `laminar`
 *   (net/mptcp/pm_kernel.c, fill_local_addresses_vec). A server with `signal` endpoints accepts none.
 */
export function limitsFor(endpoints: readonly DesiredEndpoint[], present: Limits, maximum: number): Limits {
  if (endpoints.length === 0) return present;
  let accepts = false;
  let isMesh = false;
  for (const { flags } of endpoints) {
    isMesh ||= flags.has("fullmesh");
    accepts ||= isMesh || flags.has("subflow") || flags.has("laminar");
  }
  const enough = isMesh ? maximum : Math.min(endpoints.length + SPARE_SUBFLOWS, maximum);
  const raised = (limit: number): number => (limit < enough ? maximum : limit);
  return {
    subflows: raised(present.subflows),
    addAddrAccepted: accepts ? raised(present.addAddrAccepted) : present.addAddrAccepted,
  };
}
