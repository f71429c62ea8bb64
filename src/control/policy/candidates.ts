import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import { placeOf } from "../network/network.ts";
import type { DesiredEndpoint } from "./decision.ts";
import type { HostAddress } from "./eligibility.ts";
import { hostAddresses } from "./eligibility.ts";
import type { PolicyInput } from "./input.ts";
import { homeOf } from "./input.ts";
import type { Contender } from "./slots.ts";
import { compareContenders } from "./slots.ts";
import { wantedIn } from "./wanted-endpoints.ts";

/** An address that may become an endpoint, with all that decides over it. */
export interface Candidate extends Omit<HostAddress, "alias">, Contender {
  readonly desired: DesiredEndpoint;
}

/** Every address of every link, judged by itself. */
export function candidatesOf(input: PolicyInput): Candidate[] {
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
