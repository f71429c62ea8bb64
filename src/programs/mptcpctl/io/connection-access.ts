/** Opens one connection, and the parts that act on it, while a command runs. */
import { systemClock } from "../../../base/clock.ts";
import { runningClock } from "../../../base/deadlines.ts";
import { IdBook } from "../../../control/connections/address-ids.ts";
import { Announcements } from "../../../control/connections/announcements.ts";
import type { ConnectionChange } from "../../../control/connections/connection.ts";
import { ConnectionRecord } from "../../../control/connections/connection-record.ts";
import { Listeners } from "../../../control/connections/listeners.ts";
import { Subflows } from "../../../control/connections/subflows.ts";
import { type ConnectionMemory, ConnectionTracker } from "../../../control/connections/tracker.ts";
import type { MptcpPm } from "../../../kernel/mptcp-pm.ts";
import { Sockets } from "../../../kernel/sockets.ts";
import { warningLogger, watchEvents, withPathManager } from "./kernel-access.ts";
import type { CommandOutput } from "./output.ts";

/** The parts that commands for one connection work with. Path managers have the same. */
export type ConnectionDesk = {
  readonly pm: MptcpPm;
  readonly connection: ConnectionRecord;
  readonly subflows: Subflows;
  readonly announcements: Announcements;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
};

/** Works on the connection with this token. An unknown token goes to the kernel all the same, which refuses it. */
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

/** A connection of which only the token is known. */
function stranger(token: number): ConnectionRecord {
  const nowhere = { address: "0.0.0.0", port: 0 };
  return new ConnectionRecord(token, nowhere, nowhere, 6);
}

/** Remembers nothing: a command ends too soon to need it. */
const nothing: ConnectionMemory = {
  load: () => undefined,
  factsOf: () => undefined,
  begin: () => undefined,
  record: () => undefined,
  flush: () => undefined,
  close: () => undefined,
};
