/** What commands ask the kernel with, open as long as a command runs: its path manager, its events, one connection. */
import { systemClock } from "../../../base/clock.ts";
import { runningClock } from "../../../base/deadlines.ts";
import { hasCode } from "../../../base/errors.ts";
import { createLogger, type Logger } from "../../../base/log/log.ts";
import { IdBook } from "../../../control/connections/address-ids.ts";
import { Announcements } from "../../../control/connections/announcements.ts";
import type { ConnectionChange } from "../../../control/connections/connection.ts";
import { ConnectionRecord } from "../../../control/connections/connection-record.ts";
import { Listeners } from "../../../control/connections/listeners.ts";
import { Subflows } from "../../../control/connections/subflows.ts";
import { type ConnectionMemory, ConnectionTracker } from "../../../control/connections/tracker.ts";
import { MptcpPm } from "../../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../../kernel/netlink/connection.ts";
import { FamilyNotFoundError } from "../../../kernel/netlink/errors.ts";
import { Sockets } from "../../../kernel/sockets.ts";
import { CommandError, type CommandOutput } from "./output.ts";

/** Talks to the kernel's path manager, and hangs up afterwards. */
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
      "this kernel has no Multipath TCP: it takes Linux 5.6 with CONFIG_MPTCP",
    );
  }
}

/** As MptcpPm.events, and says what is missing where it is not permitted. */
export function watchEvents(pm: MptcpPm, handlers: Parameters<MptcpPm["events"]>[0]): Subscription {
  try {
    return pm.events(handlers);
  } catch (error) {
    const denied = hasCode(error, "EPERM");
    throw denied ? new CommandError("EPERM", "cannot watch events: operation not permitted (EPERM)") : error;
  }
}

/** What goes wrong inside is said, and nothing else. */
export function warningLogger({ warn }: CommandOutput): Logger {
  const write = ({ level, message }: { readonly level: string; readonly message: string }): void => {
    if (level === "warning" || level === "error") warn(message);
  };
  return createLogger({ sink: { write, close: () => undefined }, debug: false });
}

/** What commands for single connections work with: the same parts that path managers have. */
export type ConnectionDesk = {
  readonly pm: MptcpPm;
  readonly connection: ConnectionRecord;
  readonly subflows: Subflows;
  readonly announcements: Announcements;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
};

/** Works on the connection that has a token. Where none is known to have it, the kernel gets the word, and refuses. */
export function withConnection<T>(
  token: number,
  output: CommandOutput,
  use: (desk: ConnectionDesk) => Promise<T>,
): Promise<T> {
  return withPathManager(async (pm) => {
    const sockets = Sockets.open();
    const listeners: ((change: ConnectionChange) => void)[] = [];
    let tracker: ConnectionTracker | undefined;
    try {
      tracker = new ConnectionTracker({
        ...{ sockets, clock: systemClock, remember: () => nothing, log: warningLogger(output) },
        events: { events: (handlers) => watchEvents(pm, handlers) },
        onChange: (change) => {
          for (const listener of listeners) listener(change);
        },
        onListener: () => undefined,
      });
      const { table } = tracker;
      const parts = { kernel: pm, ids: new IdBook(pm), clock: systemClock };
      const subflows = new Subflows({ ...parts, sockets, table, clock: runningClock });
      const announcements = new Announcements({ ...parts, listeners: new Listeners(), subflows });
      listeners.push((change) => {
        announcements.noticed(change);
        subflows.noticed(change);
      });
      await tracker.takeOver();
      const connection = table.get(token) ?? stranger(token);
      const ended = new Promise<void>((resolve) => {
        listeners.push((change) => {
          if (change.type === "connectionClosed" && change.connection === connection) resolve();
        });
      });
      return await use({ pm, connection, subflows, announcements, ended });
    } finally {
      tracker?.close();
      sockets.close();
    }
  });
}

/** A connection of which nothing is known but its name. */
function stranger(token: number): ConnectionRecord {
  const nowhere = { address: "0.0.0.0", port: 0 };
  return new ConnectionRecord(token, nowhere, nowhere, 6);
}

/** A command is over before anybody could have forgotten. */
const nothing: ConnectionMemory = {
  load: () => undefined,
  factsOf: () => undefined,
  begin: () => undefined,
  record: () => undefined,
  flush: () => undefined,
  close: () => undefined,
};
