import type { Entry } from "../../base/log/log.ts";
import type { Config } from "../../control/config/config.ts";
import type { Network } from "../../control/network/network.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import type { WantedEndpoint } from "../../control/policy/input.ts";
import { viewNetwork } from "../runtime/network-view.ts";
import type { PathManagerRuntime } from "../runtime/path-manager-runtime.ts";
import type { LoadedPathManager } from "../runtime/running-path-manager.ts";
import { passTimeUntil, VirtualClock } from "./clock.ts";
import { SimulatedDesk } from "./endpoint-desk.ts";
import { ROUND_TRIP, SimulatedKernel } from "./kernel.ts";
import { RecordedNetwork } from "./network.ts";
import { RecordedConnections } from "./recorded-connections.ts";
import type { RecordedItem, Recording } from "./recording.ts";
import { SimulatedMemory, simulatedRuntime } from "./runtime.ts";
import { type GivenCommand, WatchedKernel } from "./watched-kernel.ts";

export interface ReplayOptions {
  readonly recording: Recording;
  readonly plugin: LoadedPathManager;
  readonly policy: PolicyConfig & Pick<Config, "removalDelay">;
  /** Told of each command once the kernel has answered it, with its reason if it refuses. */
  readonly onCommand: (command: GivenCommand, refusal: string | undefined) => void;
  /** Told of the endpoints that the path manager wants, when they are others than before. */
  readonly onWanted: (endpoints: readonly WantedEndpoint[]) => void;
  readonly onLog: (entry: Entry) => void;
  /**
   * Waits until it is time for what happens at that moment, in milliseconds of the recording; without it nobody waits.
   */
  readonly pace?: (at: number) => Promise<void>;
}

/**
 * Local ports that Linux gives to nobody by itself (net.ipv4.ip_local_port_range), so that no recorded one is taken.
 */
const FIRST_PORT = 61_000;
/** Milliseconds that pass at once where somebody keeps the pace. */
const STEP = 20;
/** Round trips in which answers may come after the end. */
const LAST_ANSWERS = 100;

/**
 * A path manager in the world of a recording: it hears what was recorded, at the recorded times, and what it does has
 * its effects (see RecordedConnections). All in virtual time.
 */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #clock = new VirtualClock();
  readonly #network = new RecordedNetwork();
  readonly #kernel = new SimulatedKernel(this.#clock, this.#network, FIRST_PORT);
  readonly #connections: RecordedConnections;
  readonly #runtime: PathManagerRuntime;
  #wanted = "[]";
  #isReading = false;
  #hasBegun = false;
  #faults = 0;

  constructor(options: ReplayOptions) {
    const { recording, plugin, policy, onCommand, onLog } = options;
    this.#options = options;
    this.#connections = new RecordedConnections(this.#kernel, this.#clock, recording.items);
    const commands = new WatchedKernel(this.#kernel, new SimulatedDesk(this.#kernel), onCommand);
    const memory = new SimulatedMemory();
    this.#runtime = simulatedRuntime({
      ...{ kernel: this.#kernel, commands, endpoints: commands, clock: this.#clock, plugin, onLog },
      ...{ network: () => viewNetwork(this.#network.network, policy), removalDelay: policy.removalDelay },
      remember: (connections) => memory.of(connections),
      onFault: () => this.#faults++,
      listen: (address, wanted) => {
        const port = wanted || this.#kernel.freePort();
        onCommand({ name: "listen", local: { address, port } }, undefined);
        return { port, close: () => undefined };
      },
    });
  }

  /** Milliseconds of the recording. */
  get now(): number {
    return this.#clock.now();
  }

  /** The network as it is now. */
  get network(): Network {
    return this.#network.network;
  }

  /** How often the path manager has failed. */
  get faults(): number {
    return this.#faults;
  }

  /** From the first line to the last; to be called once. */
  async run(): Promise<void> {
    const { items } = this.#options.recording;
    const first = items.slice(0, lengthOfBeginning(items));
    for (const item of first) this.#happen(item);
    await this.#begin();
    for (const item of items.slice(first.length)) {
      await this.#advanceTo(item.at);
      this.#happen(item);
      await this.#clock.advance(0);
    }
    for (let round = 0; this.#kernel.isBusy && round < LAST_ANSWERS; round++)
      await this.#advanceTo(this.now + ROUND_TRIP);
    this.#runtime.close();
  }

  async #begin(): Promise<void> {
    const begun = this.#runtime.takeOver().then(() => {
      this.#hasBegun = true;
    });
    await passTimeUntil(this.#clock, begun);
    this.#tellWanted();
  }

  async #advanceTo(time: number): Promise<void> {
    const { pace } = this.#options;
    while (this.now < time) {
      const next = pace === undefined ? time : Math.min(time, this.now + STEP);
      await pace?.(next);
      await this.#clock.advance(next - this.now);
    }
  }

  #happen(item: RecordedItem): void {
    if ("event" in item) this.#connections.happen(item.event);
    else if ("network" in item) this.#changeNetwork(item.network);
    else if ("connections" in item) this.#replaceConnections(item.connections);
    // What is to be read again comes with the next list of connections.
    else if ("overrun" in item || "fault" in item) this.#isReading = true;
  }

  #changeNetwork(network: Network): void {
    this.#network.network = network;
    this.#runtime.host.networkChanged();
    if (this.#hasBegun) this.#tellWanted();
  }

  #replaceConnections(connections: Parameters<RecordedConnections["replace"]>[0]): void {
    this.#connections.replace(connections);
    if (this.#isReading) this.#kernel.overrun();
    this.#isReading = false;
  }

  #tellWanted(): void {
    const wanted = this.#runtime.host.wantedEndpoints(this.network, this.#options.policy)?.endpoints ?? [];
    const text = JSON.stringify(wanted);
    if (text !== this.#wanted) this.#options.onWanted(wanted);
    this.#wanted = text;
  }
}

/** What is there when a path manager begins: the first network, and the connections that are listed with it. */
function lengthOfBeginning([one, other]: readonly RecordedItem[]): number {
  if (one === undefined || !("network" in one || "connections" in one)) return 0;
  return "network" in one && other !== undefined && "connections" in other ? 2 : 1;
}
