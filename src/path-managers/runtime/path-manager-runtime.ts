import type { Clock } from "../../base/clock.ts";
import { RunningClock } from "../../base/deadlines.ts";
import type { Logger } from "../../base/log/log.ts";
import { IdBook } from "../../control/connections/address-ids.ts";
import { Announcements } from "../../control/connections/announcements.ts";
import type { ConnectionChange } from "../../control/connections/connection.ts";
import type { ConnectionTable } from "../../control/connections/connection-table.ts";
import { type Listen, Listeners } from "../../control/connections/listeners.ts";
import { Subflows } from "../../control/connections/subflows.ts";
import { ConnectionTracker, type ConnectionTrackerOptions } from "../../control/connections/tracker.ts";
import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import type { Sockets } from "../../kernel/sockets.ts";
import type { EndpointCommands } from "./endpoint-commands.ts";
import type { NetworkView } from "./network-view.ts";
import { type HostOptions, PathManagerHost } from "./path-manager-host.ts";

export interface RuntimeOptions extends Omit<HostOptions, "services"> {
  readonly log: Logger;
  readonly clock: Clock;
  readonly network: () => NetworkView;
  readonly events: Pick<MptcpPm, "events">;
  readonly sockets: Pick<Sockets, "dumpOutlines">;
  /** Commands for connections. */
  readonly kernel: ConnectionKernel;
  readonly endpoints: EndpointCommands;
  /** Milliseconds. */
  readonly removalDelay: number;
  readonly remember: ConnectionTrackerOptions["remember"];
  /** How listening sockets are opened, if not by the kernel. */
  readonly listen?: Listen;
}

/** Path managers with all that they work on: the connections as they are now, and commands to change them. */
export class PathManagerRuntime {
  readonly host: PathManagerHost;
  readonly #tracker: ConnectionTracker;

  /** Begins to listen; nothing is told yet. */
  constructor(options: RuntimeOptions) {
    const { log, clock, network, events, sockets, endpoints, remember, listen, removalDelay } = options;
    this.#tracker = new ConnectionTracker({
      ...{ events, sockets, remember, log, clock },
      onChange: (change: ConnectionChange) => this.host.connectionChanged(change),
      onListener: (event) => this.host.listenerChanged(event),
    });
    const { table } = this.#tracker;
    const kernel = watchForVanished(options.kernel, () => this.#tracker.resync());
    const ids = new IdBook(kernel);
    const patience = new RunningClock(clock);
    const subflows = new Subflows({ kernel, sockets, table, ids, clock: patience });
    const listeners = new Listeners(listen);
    const announcements = new Announcements({ kernel, ids, listeners, subflows, clock });
    const commands = { subflows, announcements, kernel: endpoints };
    const services = { log, clock, patience, network, table, removalDelay, ...commands };
    this.host = new PathManagerHost({ ...options, services });
  }

  get connections(): ConnectionTable {
    return this.#tracker.table;
  }

  /**
   * Lets the path managers begin; resolves when they know of all connections that there are.
   *
   * @returns "NAME: setup failed: why" for each that could not be set up
   */
  async takeOver(withoutGap = false): Promise<readonly string[]> {
    const failed = await this.host.start();
    await this.#tracker.takeOver(withoutGap);
    return failed;
  }

  close(): void {
    this.host.stop();
    this.#tracker.close();
  }
}

/** Commands for connections of the kernel's userspace path manager. */
export type ConnectionKernel = Pick<
  MptcpPm,
  "announce" | "remove" | "createSubflow" | "destroySubflow" | "setSubflowFlags" | "dumpEndpoints"
>;

/**
 * The same commands; `onVanished` is called when the kernel has no more the connection that one is for, of which it
 * tells nobody.
 */
function watchForVanished(kernel: ConnectionKernel, onVanished: () => void): ConnectionKernel {
  const watched = <Result>(command: Promise<Result>): Promise<Result> => {
    command.catch((error) => {
      if (refusalOf(error) === "no-such-connection") onVanished();
    });
    return command;
  };
  return {
    announce: (given) => watched(kernel.announce(given)),
    remove: (given) => watched(kernel.remove(given)),
    createSubflow: (given) => watched(kernel.createSubflow(given)),
    destroySubflow: (given) => watched(kernel.destroySubflow(given)),
    setSubflowFlags: (given) => watched(kernel.setSubflowFlags(given)),
    dumpEndpoints: (given) => watched(kernel.dumpEndpoints(given)),
  };
}
