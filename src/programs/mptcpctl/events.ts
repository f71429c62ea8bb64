import { hasCode } from "../../base/errors.ts";
import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../kernel/netlink/connection.ts";
import { CommandError } from "./exit.ts";

/** As MptcpPm.events, and says what is missing where it is not permitted. */
export function watchEvents(pm: MptcpPm, handlers: Parameters<MptcpPm["events"]>[0]): Subscription {
  try {
    return pm.events(handlers);
  } catch (error) {
    const denied = hasCode(error, "EPERM");
    throw denied ? new CommandError("EPERM", "cannot watch events: operation not permitted (EPERM)") : error;
  }
}
