import { messageOf } from "../../base/errors.ts";
import type { ConnectionChange } from "../../control/connections/connection.ts";
import type { ListenerEvent } from "../../control/connections/tracker.ts";
import type { Network } from "../../control/network/network.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import type { WantedEndpoints } from "../../control/policy/input.ts";
import { describeError } from "./describe-error.ts";
import { historyOf, tellConnection, tellNetwork } from "./handler-calls.ts";
import type { Responsibility } from "./messages.ts";
import { compareNetworks, emptyView, type NetworkView } from "./network-view.ts";
import type { PathManagerServices } from "./path-manager-handle.ts";
import { isRefusal, levelOf } from "./refusals.ts";
import { byPriority, responsibilityOf } from "./responsibility.ts";
import { type HandlerWatch, type LoadedPathManager, RunningPathManager } from "./running-path-manager.ts";

export interface HostOptions {
  /** In the order in which they were loaded. */
  readonly pathManagers: readonly LoadedPathManager[];
  /** Names of those that connections belong to; none: to the first. */
  readonly inCharge: readonly string[];
  readonly services: PathManagerServices;
  readonly watch: HandlerWatch;
  /** After so many faults a path manager is stopped. */
  readonly mostFaults: number;
  /** Faults of earlier lives of a path manager, by its name. */
  readonly faults?: ReadonlyMap<string, number>;
  /** Told of each fault, with the path manager's count. */
  readonly onFault?: (pathManager: string, count: number) => void;
  /** Told when others are in charge than before. */
  readonly onResponsibility?: (responsibility: Responsibility) => void;
}

/** Milliseconds that a path manager may take to begin. */
const SETUP_DEADLINE = 10_000;

/**
 * The path managers, in the order of their priority. Network events go to all; connections, and what happens to them,
 * to those in charge. One that has too many faults is stopped, and the next in order takes its place.
 */
export class PathManagerHost {
  readonly #options: HostOptions;
  readonly #pathManagers: readonly RunningPathManager[];
  readonly #faults: Map<string, number>;
  #responsibility: Responsibility;
  #inCharge: readonly RunningPathManager[] = [];
  #view: NetworkView = emptyView;
  #started = false;

  constructor(options: HostOptions) {
    const { pathManagers, services, watch, faults = [] } = options;
    this.#options = options;
    this.#faults = new Map(faults);
    const onFault = (pathManager: RunningPathManager, event: string, error: unknown): void =>
      this.#count(pathManager, event, error);
    this.#pathManagers = byPriority(pathManagers).map(
      (loaded) => new RunningPathManager({ loaded, services, watch, onFault }),
    );
    for (const pathManager of this.#pathManagers)
      if ((this.#faults.get(pathManager.name) ?? 0) >= options.mostFaults)
        pathManager.stop("too many faults");
    this.#responsibility = this.#choose();
  }

  /** Who decides what. */
  get responsibility(): Responsibility {
    return this.#responsibility;
  }

  /**
   * Sets all of them up, and tells them of the network as it is. Connections are told as they come.
   *
   * @returns "NAME: setup failed: why" for each that could not be set up
   */
  async start(): Promise<readonly string[]> {
    // In their order, but none waits for what another one waits for.
    const failed = await Promise.all(
      this.#running().map(async (pathManager) => {
        const why = await pathManager.setUp(SETUP_DEADLINE);
        return why === undefined ? [] : [`${pathManager.name}: setup failed: ${why}`];
      }),
    );
    this.#started = true;
    this.#takeCharge();
    this.networkChanged();
    return failed.flat();
  }

  networkChanged(): void {
    if (!this.#started) return;
    const before = this.#view;
    this.#view = this.#options.services.network();
    for (const change of compareNetworks(before, this.#view))
      for (const pathManager of this.#pathManagers) tellNetwork(pathManager, change);
  }

  connectionChanged(change: ConnectionChange): void {
    const { subflows, announcements } = this.#options.services;
    announcements.noticed(change);
    if (subflows.noticed(change)) return;
    for (const pathManager of this.#inCharge) tellConnection(pathManager, change);
  }

  listenerChanged({ event, localAddress, localPort }: ListenerEvent): void {
    for (const pathManager of this.#inCharge)
      pathManager.tell(event, { address: localAddress, port: localPort });
  }

  /** The endpoints that the path manager in charge of them wants; undefined: there is none, or it failed to say. */
  wantedEndpoints(network: Network, config: PolicyConfig): WantedEndpoints | undefined {
    const pathManager = this.#running().find(({ name }) => name === this.#responsibility.endpoints);
    const endpoints = pathManager?.wantedEndpoints(network, config);
    return pathManager && endpoints && { by: pathManager.name, endpoints };
  }

  /** A promise of a path manager was rejected, and nobody had it in hand. */
  strayRejection(error: unknown): void {
    const pathManager = this.#pathManagers.find((one) => one.isBehind(error));
    if (pathManager !== undefined) pathManager.blame("a promise", error);
    else if (isRefusal(error)) this.#options.services.log[levelOf(error, "warning")](messageOf(error));
    else this.#options.services.log.error(`a promise of a path manager failed: ${describeError(error)}`);
  }

  stop(): void {
    for (const pathManager of this.#pathManagers) pathManager.stop("mptcpd unloads its path managers");
    this.#inCharge = [];
  }

  #count(pathManager: RunningPathManager, event: string, error: unknown): void {
    const { mostFaults, onFault } = this.#options;
    const count = (this.#faults.get(pathManager.name) ?? 0) + 1;
    this.#faults.set(pathManager.name, count);
    onFault?.(pathManager.name, count);
    const most = Number.isFinite(mostFaults) ? ` of ${mostFaults}` : "";
    pathManager.log.error(`${event} failed: ${describeError(error)}; fault ${count}${most}`);
    if (count < mostFaults || pathManager.stopped) return;
    pathManager.stop("too many faults");
    pathManager.log.error("stopped after too many faults");
    if (this.#started) this.#takeCharge();
  }

  /** Puts those in charge who should be, and tells who was not what it has missed. */
  #takeCharge(): void {
    const before = this.#inCharge;
    this.#responsibility = this.#choose();
    this.#inCharge = this.#running().filter(({ name }) => this.#responsibility.connections.includes(name));
    this.#options.onResponsibility?.(this.#responsibility);
    const heirs = this.#inCharge.filter((pathManager) => !before.includes(pathManager));
    for (const connection of [...this.#options.services.table])
      for (const heir of heirs) for (const change of historyOf(connection)) tellConnection(heir, change);
  }

  #choose(): Responsibility {
    const definitions = this.#running().map(({ definition }) => definition);
    return responsibilityOf(definitions, this.#options.inCharge);
  }

  #running(): RunningPathManager[] {
    return this.#pathManagers.filter(({ stopped }) => !stopped);
  }
}
