import type { Limits } from "../../kernel/mptcp-pm.ts";
import type { DesiredEndpoint } from "./decision.ts";

/** Subflows beyond the number of endpoints that limits leave room for, as in the C mptcpd. */
const SPARE_SUBFLOWS = 2;

/**
 * The limits that a set of endpoints needs. A value that is high enough stays; a value that is too low becomes the
 * kernel's maximum, because nobody knows how many addresses a peer will announce. Never below the present values.
 *
 * - Two subflows more than there are endpoints are enough. With `fullmesh` only the maximum is enough: a connection may
 *   need as many subflows as endpoints times the peer's addresses.
 * - Announced addresses are accepted if an endpoint may open subflows to them: `subflow`, `fullmesh`, `laminar`
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
