/** What peers are told of addresses that go (REMOVE_ADDR, RFC 8684, 3.4.2). */
import { readCounters } from "./counters.ts";

/**
 * Milliseconds that a peer gets to deal with a REMOVE_ADDR. Linux drops one that comes before it has dealt with the one before,
 * and keeps the subflows from that address for ever (net/mptcp/pm.c, mptcp_pm_rm_addr_received). Nothing is sent again, and a
 * path that varies its delay brings together what was sent apart.
 */
export const REMOVAL_SPACING = 200;

/**
 * How many the kernel has sent in our network namespace. Undefined where it does not count them, or does not show that.
 */
export function removalsSent(): bigint | undefined {
  try {
    return readCounters("netstat").get("MPTcpExt")?.get("RmAddrTx");
  } catch {
    return undefined;
  }
}
