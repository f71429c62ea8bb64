import type { Limits } from "../kernel/mptcp-pm.ts";
import type { DesiredEndpoint } from "./decision.ts";

/** Subflows beside the endpoints that the limits leave room for, as the C mptcpd has it. */
const SPARE_SUBFLOWS = 2;

/**
 * The limits that a set of endpoints needs: as many subflows as there are endpoints and two more; announced
 * addresses are accepted as soon as one endpoint may start subflows to them. Never below what they are, never
 * above what the kernel takes.
 */
export function limitsFor(endpoints: readonly DesiredEndpoint[], present: Limits, maximum: number): Limits {
  if (endpoints.length === 0) return present;
  const needed = Math.min(endpoints.length + SPARE_SUBFLOWS, maximum);
  const accepts = endpoints.some((endpoint) => endpoint.flags.has("subflow"));
  return {
    subflows: Math.max(present.subflows, needed),
    addAddrAccepted: Math.max(present.addAddrAccepted, accepts ? needed : 0),
  };
}
