/**
 * The policy's part in holding an endpoint: why an endpoint is surplus, and whether it stays for now. The policy has no
 * clock: control/endpoints/removal-delay.ts remembers since when each endpoint is held, and which holds have expired.
 */
import { interfaceName } from "../network/network.ts";
import { type Reason, whyLinkDown } from "./address-state.ts";
import type { Decision } from "./decision.ts";
import { hostAddresses } from "./host-addresses.ts";
import { type OwnEndpoint, type PolicyInput, wantedIn } from "./input.ts";

/** An endpoint of ours that no usable address needs any more. */
export interface SurplusEndpoint extends OwnEndpoint {
  readonly interfaceName: string;
  readonly reason: Reason;
  /** How long it may stay: not at all; for the removal delay; or for the delay and until another endpoint is usable. */
  readonly grace: "none" | "delay" | "while-alone";
}

/** @param addresses the addresses that can be endpoints of ours */
export function surplusEndpoints(
  input: PolicyInput,
  own: readonly OwnEndpoint[],
  addresses: readonly { readonly place: string }[],
): SurplusEndpoint[] {
  const usable = new Set<string>();
  for (const { place } of addresses) usable.add(place);
  const surplus: SurplusEndpoint[] = [];
  for (const one of own) {
    if (usable.has(one.place)) continue;
    const verdict = whySurplus(input, one.endpoint.address, one.ifIndex);
    surplus.push({ ...one, interfaceName: interfaceName(input.network, one.ifIndex), ...verdict });
  }
  return surplus;
}

/**
 * The surplus endpoints that stay for now. Deleting an endpoint destroys its subflows, the initial subflow included,
 * and adding the endpoint again does not bring them back. So a connection gets at least the time that plain TCP has.
 *
 * @param othersUsable whether any address that is up is, or can be, an endpoint
 */
export function holdSurplus(
  input: PolicyInput,
  surplus: readonly SurplusEndpoint[],
  othersUsable: boolean,
): Decision[] {
  const held: Decision[] = [];
  if (input.removalDelay === 0) return held;
  for (const { endpoint, ifIndex, place, interfaceName: name, reason, grace } of surplus) {
    const expired = input.expired.has(place);
    if (grace === "none" || (expired && (grace === "delay" || othersUsable))) continue;
    const why = expired ? "kept, no other endpoint is usable" : "kept for the removal delay";
    const { address, port, flags } = endpoint;
    held.push({
      address,
      ifIndex,
      interfaceName: name,
      outcome: "held",
      code: reason.code,
      reason: `${reason.text}; ${why}`,
      endpoint: { address, port, flags, ifIndex: endpoint.ifIndex },
    });
  }
  return held;
}

function whySurplus(
  input: PolicyInput,
  address: string,
  ifIndex: number,
): Pick<SurplusEndpoint, "reason" | "grace"> {
  const { network, config, wanted } = input;
  if (ifIndex === 0) {
    return {
      reason: { code: "address-gone", text: "no interface has this address any more" },
      grace: "delay",
    };
  }
  const link = network.links.get(ifIndex);
  if (!link) {
    const text = `${interfaceName(network, ifIndex)} was deleted or moved away`;
    return { reason: { code: "interface-gone", text }, grace: "none" };
  }
  const assigned = hostAddresses(network, config).find(
    (other) => other.address === address && other.ifIndex === ifIndex,
  );
  if (!assigned) {
    return { reason: { code: "address-gone", text: `no longer an address of ${link.name}` }, grace: "delay" };
  }
  const { refused, guests, unusable, noRoute } = assigned.obstacles;
  if (refused) return { reason: refused, grace: "none" };
  const down = whyLinkDown(link);
  if (down) return { reason: down, grace: "while-alone" };
  // Only its default route tells a virtual uplink from guests, and the route may be gone just for a moment.
  if (guests) return { reason: guests, grace: "while-alone" };
  const passing = unusable ?? noRoute;
  if (passing) return { reason: passing, grace: "delay" };
  const { reason: notWanted } = wantedIn(wanted)(assigned);
  if (notWanted) return { reason: notWanted, grace: "none" };
  return {
    reason: { code: "foreign-endpoint", text: "another endpoint (not made by mptcpd) already covers it" },
    grace: "none",
  };
}
