import { messageOf } from "../../base/errors.ts";
import type { Level } from "../../base/log/log.ts";
import { ConnectionError, isConnectionClosed } from "../../control/connections/connection.ts";
import { SystemError } from "../../kernel/netlink/addon.ts";
import { NetlinkError } from "../../kernel/netlink/errors.ts";
import type { PathManager } from "./api.ts";
import { guarded } from "./describe-error.ts";

/** Whether an error is what a command rejects with for what happens in the world, which is no fault of who asks. */
export function isRefusal(error: unknown): boolean {
  const kinds = [ConnectionError, NetlinkError, SystemError];
  return guarded(() => kinds.some((kind) => error instanceof kind), false);
}

/** How loud a refusal is said: that a connection has ended is no news. */
export function levelOf<Given extends Level>(refusal: unknown, otherwise: Given): Given | "debug" {
  return guarded(() => isConnectionClosed(refusal), false) ? "debug" : otherwise;
}

/**
 * For commands that need not succeed, as in `pm.setBackup(…).catch(logRefusal(pm))`: what the kernel or the peer refuses is
 * logged as information, as a detail if the connection has ended meanwhile. Errors without a code go on.
 */
export function logRefusal({ log, signal }: Pick<PathManager, "log" | "signal">): (error: unknown) => void {
  return (error) => {
    // All that was under way is refused to who is unloaded.
    if (signal.aborted) return;
    if (!(error instanceof Error && "code" in error)) throw error;
    log[levelOf(error, "info")](messageOf(error));
  };
}
