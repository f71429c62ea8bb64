import { createLogger, type Logger } from "../../../../src/base/log/log.ts";
import { defaultConfig } from "../../../../src/control/config/config.ts";
import {
  type Details,
  definePathManager,
  type HandlerName,
  type Handlers,
  type PathManager,
  type PathManagerDefinition,
} from "../../../../src/path-managers/runtime/api.ts";
import { handlersOf } from "../../../../src/path-managers/runtime/handler-calls.ts";
import type { Responsibility } from "../../../../src/path-managers/runtime/messages.ts";
import { viewNetwork } from "../../../../src/path-managers/runtime/network-view.ts";
import { PathManagerRuntime } from "../../../../src/path-managers/runtime/path-manager-runtime.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { SimulatedDesk } from "../../../../src/path-managers/simulation/endpoint-desk.ts";
import { SimulatedKernel } from "../../../../src/path-managers/simulation/kernel.ts";
import { SimulatedNetwork } from "../../../../src/path-managers/simulation/network.ts";
import { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import { SimulatedMemory } from "../../../../src/path-managers/simulation/runtime.ts";

export const config = { ...defaultConfig, paths: [] };

/** A logger, and what it was given, "warning: message". */
export function logTo(lines: string[]): Logger {
  const write = ({ level, message }: { level: string; message: string }) =>
    lines.push(`${level}: ${message}`);
  return createLogger({ sink: { write, close: () => undefined }, debug: true });
}

export interface Recorded {
  readonly event: HandlerName;
  readonly details: readonly unknown[];
}

/** A path manager that keeps what it is told, and what it works with. */
export function recorder(more: Partial<PathManagerDefinition> & { readonly handlers?: Handlers } = {}) {
  const told: Recorded[] = [];
  let given: PathManager | undefined;
  const { handlers, ...rest } = more;
  const definition = definePathManager({
    name: "recorder",
    setup(pm) {
      given = pm;
      const tell = <Name extends HandlerName>(event: Name, ...details: Details<Name>) =>
        void told.push({ event, details });
      return { ...handlersOf({ tell }), ...handlers };
    },
    ...rest,
  });
  return {
    definition,
    told,
    /** The events' names. */
    get events(): HandlerName[] {
      return told.map(({ event }) => event);
    },
    get pm(): PathManager {
      if (given === undefined) throw new Error("it was not set up");
      return given;
    },
  };
}

export interface BenchOptions {
  readonly inCharge?: readonly string[];
  readonly mostFaults?: number;
  readonly faults?: ReadonlyMap<string, number>;
  readonly options?: unknown;
}

/** Several path managers on a simulated host with eth0 and eth1; faults and all are as with mptcpd. */
export class HostBench {
  readonly clock = new VirtualClock();
  readonly network = new SimulatedNetwork();
  readonly kernel = new SimulatedKernel(this.clock, this.network);
  readonly runtime: PathManagerRuntime;
  /** What was logged. */
  readonly lines: string[] = [];
  /** "name count". */
  readonly faults: string[] = [];
  readonly charges: Responsibility[] = [];
  /** "name event" of what runs, "-" of what has ended. */
  readonly watched: string[] = [];

  constructor(definitions: readonly PathManagerDefinition[], given: BenchOptions = {}) {
    const { inCharge = [], mostFaults = 3, faults = new Map(), options = {} } = given;
    this.network.plug("eth0", { addresses: ["10.0.1.2"] });
    this.network.plug("eth1", { addresses: ["10.0.2.2", "fd00:2::2"] });
    const memory = new SimulatedMemory();
    this.runtime = new PathManagerRuntime({
      ...{ kernel: this.kernel, events: this.kernel, sockets: this.kernel },
      ...{ endpoints: new SimulatedDesk(this.kernel), removalDelay: config.removalDelay },
      ...{ clock: this.clock, log: logTo(this.lines), inCharge, mostFaults, faults },
      pathManagers: definitions.map((definition) => ({ definition, options })),
      remember: (connections) => memory.of(connections),
      network: () => viewNetwork(this.network.network, config),
      watch: {
        enter: (pathManager, event) => void this.watched.push(`${pathManager} ${event}`),
        leave: () => void this.watched.push("-"),
      },
      onFault: (pathManager, count) => void this.faults.push(`${pathManager} ${count}`),
      onResponsibility: (responsibility) => void this.charges.push(responsibility),
      listen: (_, port) => ({ port: port || this.kernel.freePort(), close: () => undefined }),
    });
  }

  /** Lets the path managers begin, in so much time. */
  async start(milliseconds = 0): Promise<this> {
    await Promise.all([this.runtime.takeOver(), this.clock.advance(milliseconds)]);
    return this;
  }

  /** A connection that this host has made. */
  connect(from = "10.0.1.2", { to = "10.0.9.9", denyJoinId0 = false } = {}): SimulatedPeer {
    const connection = this.kernel.open({
      local: { address: from, port: this.kernel.freePort() },
      remote: { address: to, port: 443 },
      ...{ serverSide: false, denyJoinId0 },
    });
    const peer = new SimulatedPeer(this.kernel, connection);
    this.kernel.tellOpening("created", connection);
    peer.establish();
    return peer;
  }

  async settle(milliseconds = 100): Promise<void> {
    await this.clock.advance(milliseconds);
  }

  /** Changes the network, and tells of it. */
  change(action: (network: SimulatedNetwork) => void): void {
    action(this.network);
    this.runtime.host.networkChanged();
  }
}
