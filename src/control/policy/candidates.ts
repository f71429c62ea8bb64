import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import type { PathRule } from "../config/config.ts";
import { familyOf, hasDefaultRoute } from "../network/network.ts";
import type { DesiredEndpoint } from "./decision.ts";
import type { PolicyInput } from "./input.ts";
import { homeOf, placeOf } from "./input.ts";
import { judgeAddresses } from "./judged.ts";
import type { Contender } from "./slots.ts";
import { compareContenders } from "./slots.ts";
import type { Reason } from "./usability.ts";
import { classOf } from "./usability.ts";

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
  const wanted = new Map(input.wanted.endpoints.map((wish) => [placeOf(wish), wish]));
  const candidates = judgeAddresses(network, config).map(({ address, link, rule, reason }) => {
    const place = placeOf(address);
    const endpoint = live.get(place);
    const wish = wanted.get(place);
    return {
      address: address.address,
      ifIndex: address.ifIndex,
      interfaceName: link.name,
      rule,
      reason: reason ?? (wish === undefined ? whyNotWanted(input) : undefined),
      priority: wish?.priority ?? 0,
      alias: false,
      live: endpoint !== undefined,
      hasDefaultRoute: hasDefaultRoute(network, address.ifIndex, address.family),
      uniqueLocal: classOf(address) === "unique-local",
      created: address.created,
      desired: {
        address: address.address,
        port: wish?.port ?? 0,
        flags: wish?.flags ?? config.addressFlags,
        // An adopted endpoint without a device stays so: binding it would break its subflows.
        ifIndex: endpoint?.ifIndex ?? address.ifIndex,
      },
    };
  });
  return markAliases(candidates);
}

/** Why an address that could be an endpoint is to be none. */
export function whyNotWanted({ wanted: { by } }: PolicyInput): Reason {
  return { code: "not-wanted", text: `${by} does not want it` };
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
