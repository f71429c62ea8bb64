import { hasCode } from "../../../base/errors.ts";
import { createLogger, type Logger } from "../../../base/log/log.ts";
import { MptcpPm } from "../../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../../kernel/netlink/connection.ts";
import { FamilyNotFoundError } from "../../../kernel/netlink/errors.ts";
import { CommandError, type CommandOutput } from "./output.ts";

/** Connects to the kernel's path manager while `use` runs. */
export async function withPathManager<T>(
  use: (pm: MptcpPm) => Promise<T>,
  options: PathManagerOptions = {},
): Promise<T> {
  const pm = await openPathManager(options);
  try {
    return await use(pm);
  } finally {
    pm.close();
  }
}

type PathManagerOptions = NonNullable<Parameters<typeof MptcpPm.open>[0]>;

async function openPathManager(options: PathManagerOptions): Promise<MptcpPm> {
  try {
    return await MptcpPm.open(options);
  } catch (error) {
    if (!(error instanceof FamilyNotFoundError)) throw error;
    throw new CommandError(
      "ENOPROTOOPT",
      "this kernel has no Multipath TCP: it needs Linux 5.6 or later, built with CONFIG_MPTCP",
    );
  }
}

/** Like MptcpPm.events, with a message for users if the kernel does not permit it. */
export function watchEvents(pm: MptcpPm, handlers: Parameters<MptcpPm["events"]>[0]): Subscription {
  try {
    return pm.events(handlers);
  } catch (error) {
    const denied = hasCode(error, "EPERM");
    throw denied ? new CommandError("EPERM", "cannot watch events: operation not permitted (EPERM)") : error;
  }
}

/** Passes on warnings and errors, and drops the rest. */
export function warningLogger({ warn }: CommandOutput): Logger {
  const write = ({ level, message }: { readonly level: string; readonly message: string }): void => {
    if (level === "warning" || level === "error") warn(message);
  };
  return createLogger({ sink: { write, close: () => undefined }, debug: false });
}
