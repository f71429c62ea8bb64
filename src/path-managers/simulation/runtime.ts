import type { Clock } from "../../base/clock.ts";
import { createLogger, type Entry } from "../../base/log/log.ts";
import type { ConnectionTable, Facts } from "../../control/connections/connection-table.ts";
import type { ListedConnection } from "../../control/connections/from-sock-diag.ts";
import type { Listen } from "../../control/connections/listeners.ts";
import type { ConnectionMemory, ConnectionTrackerOptions } from "../../control/connections/tracker.ts";
import type { NetworkView } from "../runtime/network-view.ts";
import { PathManagerRuntime, type RuntimeOptions } from "../runtime/path-manager-runtime.ts";
import type { LoadedPathManager } from "../runtime/running-path-manager.ts";
import type { SimulatedKernel } from "./kernel.ts";

export interface SimulatedRuntimeOptions {
  readonly kernel: SimulatedKernel;
  /** What commands are given to: the kernel, or who stands before it. */
  readonly commands: RuntimeOptions["kernel"];
  readonly endpoints: RuntimeOptions["endpoints"];
  readonly removalDelay: RuntimeOptions["removalDelay"];
  readonly clock: Clock;
  readonly plugin: LoadedPathManager;
  readonly network: () => NetworkView;
  readonly remember: ConnectionTrackerOptions["remember"];
  readonly listen: Listen;
  readonly onLog: (entry: Entry) => void;
  readonly onFault: () => void;
  /** Told before and after the path manager's own code runs. */
  readonly watch?: RuntimeOptions["watch"];
}

/** One path manager, on a kernel and in a time that are simulated. It is not stopped, however many faults it has. */
export function simulatedRuntime(options: SimulatedRuntimeOptions): PathManagerRuntime {
  const {
    kernel,
    commands,
    endpoints,
    clock,
    plugin,
    network,
    remember,
    listen,
    onLog,
    onFault,
    removalDelay,
    watch = { enter: () => undefined, leave: () => undefined },
  } = options;
  return new PathManagerRuntime({
    ...{
      kernel: commands,
      endpoints,
      events: kernel,
      sockets: kernel,
      clock,
      network,
      remember,
      listen,
      removalDelay,
    },
    ...{ pathManagers: [plugin], inCharge: [], onFault, mostFaults: Number.POSITIVE_INFINITY },
    log: createLogger({ sink: { write: onLog, close: () => undefined }, debug: true }),
    watch,
  });
}

/** Keeps what a path manager's next life has to know, as the daemon's checkpoint does in a file. */
export class SimulatedMemory {
  #facts = new Map<number, Facts>();

  of(table: ConnectionTable): ConnectionMemory {
    const keep = (): void => {
      this.#facts = new Map(Array.from(table, (connection) => [connection.token, { ...connection }]));
    };
    return {
      load: () => undefined,
      factsOf: ({ token }: ListedConnection) => this.#facts.get(token),
      begin: () => undefined,
      record: () => undefined,
      flush: keep,
      close: keep,
    };
  }
}
