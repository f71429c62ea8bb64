import { placeOf } from "../network/network.ts";
import type { Candidate } from "./candidates.ts";
import { candidatesOf } from "./candidates.ts";
import type { Decision, DesiredEndpoint, Outcome } from "./decision.ts";
import type { SurplusEndpoint } from "./held-endpoints.ts";
import { holdSurplus, surplusEndpoints } from "./held-endpoints.ts";
import type { PolicyInput } from "./input.ts";
import { foreignServing } from "./input.ts";
import { compareContenders, seat } from "./slots.ts";
import type { Reason } from "./usability.ts";

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
  return [...others, ...held, ...nameGone(surplus, [...others, ...held])];
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
function nameGone(surplus: readonly SurplusEndpoint[], decisions: readonly Decision[]): Decision[] {
  const named = new Set(decisions.map(placeOf));
  return surplus.flatMap(({ endpoint: { address }, ifIndex, interfaceName, reason: { code, text } }) => {
    if (named.has(placeOf({ address, ifIndex }))) return [];
    return { address, ifIndex, interfaceName, outcome: "unusable", code, reason: text, endpoint: undefined };
  });
}
