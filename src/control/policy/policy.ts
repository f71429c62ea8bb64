import type { Endpoint, Limits } from "../../kernel/mptcp-pm.ts";
import { placeOf } from "../network/network.ts";
import type { Reason } from "./address-state.ts";
import type { Decision, DesiredEndpoint, Outcome } from "./decision.ts";
import { holdSurplus, type SurplusEndpoint, surplusEndpoints } from "./held-endpoints.ts";
import { type HostAddress, hostAddresses } from "./host-addresses.ts";
import { foreignServing, homeOf, type PolicyInput, wantedIn } from "./input.ts";
import { type Contender, compareContenders, seat } from "./slots.ts";

/**
 * Decides which addresses become endpoints, and says why or why not. A pure function: the daemon acts on it
 * and `mptcpctl explain` prints it, from the same inputs.
 *
 * @returns one decision for each address of each interface, and one for each endpoint of ours that has none
 */
export function decide(input: PolicyInput): Decision[] {
  const verdicts = new Map<Candidate, Decision>();
  const decideOn: DecideOn = (candidate, outcome, reason, rank) =>
    verdicts.set(candidate, { ...verdict(candidate, outcome, reason), rank });
  const candidates = candidatesOf(input);
  const undecided = (): Candidate[] => candidates.filter((candidate) => !verdicts.has(candidate));

  for (const candidate of candidates) if (candidate.reason) decideOn(candidate, "unusable", candidate.reason);
  const usable = undecided();
  decideServed(input, usable, decideOn);
  const surplus = surplusEndpoints(input, undecided());
  const held = holdSurplus(input, surplus, usable.length > 0);
  decideSameAddress(undecided(), held, decideOn);
  decideMaximum(undecided(), decideOn);
  decideSlots(input, undecided(), held.length, decideOn);

  // An address whose endpoint is held has one decision, not two.
  const heldPlaces = new Set(held.map(placeOf));
  const decided = candidates.flatMap((candidate) => verdicts.get(candidate) ?? []);
  const others = decided.filter((decision) => !heldPlaces.has(placeOf(decision)));
  return [...others, ...held, ...decideUnassigned(surplus, [...others, ...held])];
}

/** The endpoints that decisions ask for. */
export function desiredEndpoints(decisions: readonly Decision[]): DesiredEndpoint[] {
  return decisions.flatMap((decision) => decision.endpoint ?? []);
}

type DecideOn = (candidate: Candidate, outcome: Outcome, reason: Reason, rank?: number) => void;

function verdict(candidate: Candidate, outcome: Outcome, { code, text }: Reason): Decision {
  const { address, ifIndex, interfaceName } = candidate;
  const endpoint = outcome === "endpoint" ? candidate.desired : undefined;
  return { address, ifIndex, interfaceName, outcome, code, reason: text, endpoint };
}

function decideServed(input: PolicyInput, candidates: readonly Candidate[], decideOn: DecideOn): void {
  for (const candidate of candidates) {
    const foreign = foreignServing(input.current, candidate.desired);
    if (!foreign) continue;
    const text = `endpoint ${foreign.id} has it, which somebody else made`;
    decideOn(candidate, "served", { code: "foreign-endpoint", text });
  }
}

/**
 * The kernel takes an address once, whatever the interface. Of candidates with the same one the best gets it,
 * who is live before all; every one of them waits while the endpoint of an interface that is gone is held.
 */
function decideSameAddress(
  candidates: readonly Candidate[],
  held: readonly Decision[],
  decideOn: DecideOn,
): void {
  const winners = new Map(held.map(({ address, interfaceName }) => [address, interfaceName]));
  for (const candidate of liveFirst(candidates)) {
    const winner = winners.get(candidate.address);
    if (winner === undefined) winners.set(candidate.address, candidate.interfaceName);
    else decideOn(candidate, "waiting", { code: "same-address", text: `already an endpoint on ${winner}` });
  }
}

/** `max` counts the endpoints that a rule gives one interface. */
function decideMaximum(candidates: readonly Candidate[], decideOn: DecideOn): void {
  const counts = new Map<string, number>();
  for (const candidate of liveFirst(candidates)) {
    const { rule, ifIndex, interfaceName } = candidate;
    if (rule?.max === undefined) continue;
    const key = `${ifIndex}/${rule.name}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count <= rule.max) continue;
    const text = `[path ${rule.name}] allows ${rule.max} on ${interfaceName}`;
    decideOn(candidate, "waiting", { code: "over-maximum", text });
  }
}

function decideSlots(
  input: PolicyInput,
  candidates: readonly Candidate[],
  held: number,
  decideOn: DecideOn,
): void {
  const foreign = input.current.filter(({ ours }) => !ours).length;
  const slots = input.capacity - foreign - held;
  const seated = seat(candidates, slots);
  for (const [index, candidate] of [...candidates].sort(compareContenders).entries()) {
    if (seated.has(candidate)) {
      const by = candidate.rule ? `, [path ${candidate.rule.name}]` : "";
      decideOn(candidate, "endpoint", { code: "usable", text: `usable${by}` }, index + 1);
    } else {
      const text = `ranked ${index + 1} of ${candidates.length} for ${Math.max(slots, 0)} slots`;
      decideOn(candidate, "waiting", { code: "no-slot", text }, index + 1);
    }
  }
}

function liveFirst(candidates: readonly Candidate[]): Candidate[] {
  return [...candidates].sort((a, b) => Number(b.live) - Number(a.live) || compareContenders(a, b));
}

/** Names the endpoints of ours that go and whose address no interface has. */
function decideUnassigned(surplus: readonly SurplusEndpoint[], decisions: readonly Decision[]): Decision[] {
  const named = new Set(decisions.map(placeOf));
  return surplus.flatMap(({ endpoint: { address }, ifIndex, interfaceName, reason: { code, text } }) => {
    if (named.has(placeOf({ address, ifIndex }))) return [];
    return { address, ifIndex, interfaceName, outcome: "unusable", code, reason: text, endpoint: undefined };
  });
}

/** An address that may become an endpoint, with all that decides over it. */
interface Candidate extends Omit<HostAddress, "alias">, Contender {
  readonly desired: DesiredEndpoint;
}

/** Every address of every link, judged by itself. */
function candidatesOf(input: PolicyInput): Candidate[] {
  const live = new Map<string, Endpoint>();
  for (const { endpoint, ours } of input.current) {
    if (ours)
      live.set(placeOf({ address: endpoint.address, ifIndex: homeOf(input.network, endpoint) }), endpoint);
  }
  const wantedOf = wantedIn(input.wanted);
  const candidates = hostAddresses(input.network, input.config).map((host) => {
    const endpoint = live.get(placeOf(host));
    const { address, ifIndex } = host;
    const { flags, port, priority, reason } = wantedOf(host);
    return {
      ...host,
      priority,
      reason,
      alias: false,
      live: endpoint !== undefined,
      // An adopted endpoint without a device stays so: binding it would break its subflows.
      desired: { address, port, flags, ifIndex: endpoint?.ifIndex ?? ifIndex },
    };
  });
  return markAliases(candidates);
}

/** Every usable address but the best of its interface and family is an alias. */
function markAliases(candidates: readonly Candidate[]): Candidate[] {
  const group = ({ ifIndex, family }: Candidate): string => `${ifIndex}/${family}`;
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
  const flags = endpoints.map((endpoint) => endpoint.flags);
  const accepts = flags.some((own) => own.has("subflow") || own.has("fullmesh") || own.has("laminar"));
  const isMesh = flags.some((own) => own.has("fullmesh"));
  const enough = isMesh ? maximum : Math.min(endpoints.length + SPARE_SUBFLOWS, maximum);
  const raised = (limit: number): number => (limit < enough ? maximum : limit);
  return {
    subflows: raised(present.subflows),
    addAddrAccepted: accepts ? raised(present.addAddrAccepted) : present.addAddrAccepted,
  };
}
