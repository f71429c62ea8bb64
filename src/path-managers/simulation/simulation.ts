import type { Entry } from "../../base/log/log.ts";
import { parseConfig } from "../../control/config/load.ts";
import type { Connection } from "../../control/connections/connection.ts";
import type { PathManagerDefinition } from "../runtime/api.ts";
import { programsEnd } from "../runtime/exec-program.ts";
import { type NetworkView, viewNetwork } from "../runtime/network-view.ts";
import type { PathManagerRuntime } from "../runtime/path-manager-runtime.ts";
import { readOptions } from "../runtime/plugin-config.ts";
import { VirtualClock } from "./clock.ts";
import { SimulatedDesk } from "./endpoint-desk.ts";
import type { SimulatedEndpoints } from "./endpoints.ts";
import { type PeerAnswer, ROUND_TRIP, SimulatedKernel } from "./kernel.ts";
import { type SimulatedInterface, SimulatedNetwork } from "./network.ts";
import { SimulatedPeer } from "./peer.ts";
import { SimulatedMemory, simulatedRuntime } from "./runtime.ts";
import { interfaceOf, type SimulationSetting } from "./setting.ts";
import { type CommandGiven, WatchedKernel } from "./watched-kernel.ts";

/**
 * Runs a path manager on a simulated host, in virtual time. End it with the test, by `Symbol.asyncDispose` or `stop`:
 * timers and programs that the path manager has started itself would keep the process alive.
 */
export async function simulate(
  definition: PathManagerDefinition,
  setting: SimulationSetting = {},
): Promise<Simulation> {
  const simulation = new Simulation(definition, setting);
  await simulation.start();
  return simulation;
}

/**
 * A host with one path manager, its interfaces, and the peers of its connections. Nothing happens by itself: time
 * passes in `settle` and `advance` only.
 */
export class Simulation {
  /** What was logged so far. */
  readonly log: Entry[] = [];
  /** What the path manager has asked the kernel for, with the time, and the reason if it was refused. */
  readonly commands: CommandGiven[] = [];
  /** How a peer answers a subflow that is to be, by the ends of it; all are accepted if this is not set. */
  answer: (from: string, to: string) => PeerAnswer = () => "accept";
  readonly #definition: PathManagerDefinition;
  readonly #setting: SimulationSetting;
  readonly #clock = new VirtualClock();
  readonly #network = new SimulatedNetwork();
  readonly #kernel = new SimulatedKernel(this.#clock, this.#network);
  readonly #desk = new SimulatedDesk(this.#kernel);
  readonly #config;
  readonly #memory = new SimulatedMemory();
  #runtime: PathManagerRuntime | undefined;
  #faults = 0;

  constructor(definition: PathManagerDefinition, setting: SimulationSetting) {
    this.#definition = definition;
    this.#setting = setting;
    this.#config = parseConfig(Buffer.from(setting.config ?? ""), { file: "config" }).config;
    this.#kernel.pathManager = setting.pathManager ?? "userspace";
    this.#kernel.answer = (local, remote) => this.answer(local.address, remote.address);
    for (const [name, given] of Object.entries(setting.interfaces ?? {}))
      this.#network.plug(name, interfaceOf(given));
  }

  /** How often the path manager has failed. */
  get faults(): number {
    return this.#faults;
  }

  /** Milliseconds of virtual time since the beginning. */
  get now(): number {
    return this.#clock.now();
  }

  /** The network as path managers see it. */
  get network(): NetworkView {
    return viewNetwork(this.#network.network, this.#config);
  }

  /** The connections as the path manager sees them. */
  get connections(): Iterable<Connection> {
    return this.#running.connections;
  }

  /** The endpoints that the path manager wants, "10.0.1.2 subflow", sorted. */
  get wantedEndpoints(): string[] {
    const wanted = this.#running.host.wantedEndpoints(this.#network.network, this.#config);
    return (wanted?.endpoints ?? [])
      .map(({ address, port, flags }) => [address, ...(port ? [`port ${port}`] : []), flags].join(" ").trim())
      .sort();
  }

  /** The kernel's endpoints, as `ip mptcp endpoint` has them: what is added here is somebody else's for mptcpd. */
  get endpoints(): SimulatedEndpoints {
    return this.#kernel.endpoints;
  }

  /** Makes an endpoint mptcpd's, as `mptcpctl adopt` does: then commands of the path manager may change it. */
  async adoptEndpoint(id: number): Promise<void> {
    await this.#desk.adopt(id);
  }

  /** Starts the path manager again, after `stop`. Time passes as far as its setup takes any. */
  async start(): Promise<void> {
    if (this.#runtime !== undefined) throw new Error("the path manager runs already: stop it first");
    const runtime = this.#begin();
    this.#runtime = runtime;
    let isReady = false;
    const begun = runtime.takeOver().finally(() => {
      isReady = true;
    });
    await this.#clock.advance(0);
    // A setup may sleep, or wait for a command; the host gives it up in the end.
    while (!isReady) await this.#clock.advance(ROUND_TRIP);
    await begun;
  }

  /** Ends the path manager; connections go on, and so may another start. */
  stop(): void {
    this.#runtime?.close();
    this.#runtime = undefined;
  }

  /** Ends it for good; resolves when programs that are path managers have ended as well. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await programsEnd();
  }

  /** As a daemon that is killed and started again: the path manager has to find its way from what there is. */
  async restart(): Promise<void> {
    this.stop();
    await this.start();
    await this.settle();
  }

  /**
   * Begins a connection, from an address of this host or to one: then this is the server side. Established at once,
   * unless that is held back.
   */
  connect(given: {
    readonly from: string;
    readonly to: string;
    /** Of the side that listens; 443 if not given. */
    readonly port?: number;
    readonly denyJoinId0?: boolean;
    readonly established?: boolean;
    /** IPv4 by an IPv6 socket, which takes subflows of both families. */
    readonly dualStack?: boolean;
    /** If not given: that of the simulation. */
    readonly pathManager?: "kernel" | "userspace";
  }): SimulatedPeer {
    const { from, to, port = 443, denyJoinId0 = false, established = true } = given;
    const serverSide = this.#network.stateOf(from) === "missing";
    if (serverSide && this.#network.stateOf(to) === "missing")
      throw new Error(`the simulated host has neither ${from} nor ${to}`);
    const client = { address: from, port: this.#kernel.freePort() };
    const server = { address: to, port };
    const connection = this.#kernel.open({
      ...(serverSide ? { local: server, remote: client } : { local: client, remote: server }),
      ...{ serverSide, denyJoinId0 },
      ...(given.pathManager && { pathManager: given.pathManager }),
      ...(given.dualStack && { socketFamily: 6 }),
    });
    const peer = new SimulatedPeer(this.#kernel, connection);
    this.#kernel.tellOpening("created", connection);
    if (established) peer.establish();
    return peer;
  }

  /** Lets happen what follows from what was done; timers of the path manager run only as far as that takes time. */
  async settle(): Promise<void> {
    await this.#clock.advance(0);
    for (let round = 0; this.#kernel.isBusy; round++) {
      if (round === MOST_ROUNDS)
        throw new Error("the simulation does not settle: the path manager goes on and on");
      await this.#clock.advance(ROUND_TRIP);
    }
  }

  /** Lets so many milliseconds pass. */
  async advance(milliseconds: number): Promise<void> {
    await this.#clock.advance(milliseconds);
  }

  plug(name: string, given: readonly string[] | SimulatedInterface): void {
    this.#change(() => this.#network.plug(name, interfaceOf(given)));
  }

  unplug(name: string): void {
    this.#change(() => this.#network.unplug(name));
  }

  /** Takes the carrier from an interface: what is sent by it gets no answer. */
  cut(name: string): void {
    this.#change(() => this.#network.setCarrier(name, false));
  }

  restore(name: string): void {
    this.#change(() => this.#network.setCarrier(name, true));
  }

  /** Gives an interface a default route, or takes it. */
  setDefaultRoute(name: string, defaultRoute: boolean): void {
    this.#change(() => this.#network.setDefaultRoute(name, defaultRoute));
  }

  addAddress(name: string, address: string): void {
    this.#change(() => this.#network.addAddress(name, address));
  }

  removeAddress(name: string, address: string): void {
    this.#change(() => this.#network.removeAddress(name, address));
  }

  /** Does something whose events are lost, as when they come faster than they are read. */
  async loseEvents(action: () => unknown): Promise<void> {
    this.#kernel.loseEvents();
    await action();
    await this.settle();
    this.#kernel.overrun();
    // What is missing is missed when a second look does not see it either.
    await this.#clock.advance(SECOND_LOOK);
    await this.settle();
  }

  get #running(): PathManagerRuntime {
    if (this.#runtime === undefined) throw new Error("the path manager is stopped");
    return this.#runtime;
  }

  #begin(): PathManagerRuntime {
    const definition = this.#definition;
    const entries = Object.entries(this.#setting.options ?? {}).map(([key, value]) => ({
      key,
      value,
      line: 0,
    }));
    const section = { file: "options", line: 0, entries, exec: undefined };
    const options = readOptions(definition, entries.length > 0 ? section : undefined);
    const commands = new WatchedKernel(this.#kernel, this.#desk, (command, refusal) =>
      this.commands.push({ at: this.now, command, refusal }),
    );
    return simulatedRuntime({
      ...{ kernel: this.#kernel, commands, endpoints: commands },
      removalDelay: this.#config.removalDelay,
      ...{ clock: this.#clock, plugin: { definition, options }, network: () => this.network },
      remember: (connections) => this.#memory.of(connections),
      onLog: (entry) => this.log.push(entry),
      onFault: () => this.#faults++,
      listen: (_, port) => ({ port: port || this.#kernel.freePort(), close() {} }),
    });
  }

  #change(action: () => void): void {
    action();
    this.#runtime?.host.networkChanged();
  }
}

const MOST_ROUNDS = 1000;
const SECOND_LOOK = 1000;
