import { type SocketAddress, tokenText } from "../../control/connections/connection.ts";
import type { Endpoint, MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { LocalEnd } from "../../kernel/mptcp-pm-schema.ts";
import { ipFamily, unmapped } from "../../kernel/netlink/ip.ts";
import type { ConnectionOutline } from "../../kernel/sockets.ts";
import { AddressList } from "./address-list.ts";
import type { VirtualClock } from "./clock.ts";
import {
  openingEvent,
  outlineOf,
  peerIdOf,
  type SimulatedConnection,
  type SimulatedSubflow,
  subflowEvent,
} from "./connection.ts";
import { SimulatedEndpoints } from "./endpoints.ts";
import { KernelEvents } from "./kernel-events.ts";
import type { SimulatedNetwork } from "./network.ts";
import * as userspace from "./userspace-commands.ts";

type Given<Command extends keyof MptcpPm> = MptcpPm[Command] extends (given: infer G) => unknown ? G : never;

/** Milliseconds that a handshake takes. */
export const ROUND_TRIP = 20;

/** How the peer of a subflow that is to be answers: it joins, it resets, or nothing comes back. */
export type PeerAnswer = (typeof answers)[number];
const answers = ["accept", "refuse", "silence"] as const;

/**
 * The kernel's path managers on a simulated host, as MptcpPm shows them. SimulatedEndpoints has the rules of endpoints,
 * userspace-commands.ts those of connections; here is what follows of them in time.
 */
export class SimulatedKernel extends KernelEvents implements Pick<MptcpPm, Exclude<keyof MptcpPm, "close">> {
  readonly connections = new Map<number, SimulatedConnection>();
  readonly endpoints: SimulatedEndpoints;
  /** What new connections get. */
  pathManager: "kernel" | "userspace" = "userspace";
  answer: (local: SocketAddress, remote: SocketAddress) => PeerAnswer = () => "accept";
  /**
   * The port that a subflow gets of which it is known what will become of it: whoever knows has it told. Undefined: the
   * peer answers.
   */
  foresee: (
    connection: SimulatedConnection,
    wanted: { readonly local: LocalEnd; readonly remote: SocketAddress },
  ) => number | undefined = () => undefined;
  /** Told of subflows that a command or a refusal has ended. */
  onEnd: (connection: SimulatedConnection, subflow: SimulatedSubflow) => void = () => undefined;
  readonly #network: Pick<SimulatedNetwork, "stateOf">;
  #lastToken = 0x10000000;
  readonly #firstPort: number;
  #portsGiven = 0;

  /** @param firstPort local ports are given from here to the last one, again and again */
  constructor(
    clock: Pick<VirtualClock, "schedule">,
    network: Pick<SimulatedNetwork, "stateOf">,
    firstPort = 49152,
  ) {
    super(clock);
    this.#network = network;
    this.#firstPort = firstPort;
    const hasAddress = (address: string): boolean => network.stateOf(unmapped(address)) !== "missing";
    this.endpoints = new SimulatedEndpoints({ hasAddress, tell: (event) => this.tell(event) });
  }

  /** As Sockets.dumpOutlines. */
  async dumpOutlines(): Promise<ConnectionOutline[]> {
    return Array.from(this.connections.values(), outlineOf);
  }

  /** Begins a connection. */
  open(
    given: Pick<SimulatedConnection, "local" | "remote" | "serverSide" | "denyJoinId0"> &
      Partial<Pick<SimulatedConnection, "token" | "pathManager" | "socketFamily">>,
  ): SimulatedConnection {
    const { local, remote, token = this.#nextToken(), socketFamily = ipFamily(local.address) } = given;
    const connection: SimulatedConnection = {
      ...{ pathManager: this.pathManager, socketFamily, ...given, token, established: false },
      subflows: [
        {
          ...{ local, remote, localId: 0, remoteId: 0, ifIndex: 0, initial: true },
          ...{ established: true, localBackup: false, remoteBackup: false },
          mapped: socketFamily === 6 && ipFamily(local.address) === 4,
        },
      ],
      ...{ ids: new AddressList(), announced: [], peerIds: new Map() },
    };
    this.connections.set(token, connection);
    return connection;
  }

  freePort(): number {
    return this.#firstPort + (this.#portsGiven++ % (65536 - this.#firstPort));
  }

  tellOpening(event: "created" | "established", connection: SimulatedConnection): void {
    this.tell(openingEvent(event, connection));
  }

  /** Ends a subflow, and says why. */
  closeSubflow(connection: SimulatedConnection, subflow: SimulatedSubflow, error?: string): void {
    connection.subflows = connection.subflows.filter((other) => other !== subflow);
    this.onEnd(connection, subflow);
    this.tell(subflowEvent("subflowClosed", connection, subflow, { error }));
  }

  // What follows is as MptcpPm has it. A command takes effect when its turn comes, as a message to the kernel does: who
  // gives one for ever does not hold up the event loop.

  dumpEndpoints(token?: number): Promise<Endpoint[]> {
    if (token === undefined) return this.inTurn(() => this.endpoints.dumpEndpoints());
    return this.#obey("list addresses of connection", token, ({ ids }) => [...ids]);
  }

  getEndpoint(id: number, token?: number): Promise<Endpoint | undefined> {
    if (token === undefined) return this.inTurn(() => this.endpoints.getEndpoint(id));
    const what = `get address id ${id} of connection ${tokenText(token)}`;
    return this.inTurn(() => userspace.listedAddress(this.connections.get(token), id, what));
  }

  addEndpoint(endpoint: Given<"addEndpoint">): Promise<void> {
    return this.inTurn(() => this.endpoints.addEndpoint(endpoint));
  }

  changeEndpoint(change: Given<"changeEndpoint">): Promise<void> {
    return this.inTurn(() => this.endpoints.changeEndpoint(change));
  }

  deleteEndpoint(endpoint: Given<"deleteEndpoint">): Promise<void> {
    return this.inTurn(() => this.endpoints.deleteEndpoint(endpoint));
  }

  flushEndpoints(): Promise<void> {
    return this.inTurn(() => this.endpoints.flushEndpoints());
  }

  getLimits() {
    return this.inTurn(() => this.endpoints.getLimits());
  }

  setLimits(limits: Given<"setLimits">): Promise<void> {
    return this.inTurn(() => this.endpoints.setLimits(limits));
  }

  announce({ token, ...local }: Given<"announce">): Promise<void> {
    const what = `announce ${local.address} id ${local.id} to connection`;
    return this.#obey(what, token, (connection, what) => userspace.announce(connection, local, what));
  }

  remove({ token, id }: Given<"remove">): Promise<void> {
    return this.#obey(`withdraw address id ${id} from connection`, token, (connection, what) => {
      const left = userspace.withdraw(connection, id, what);
      this.later(ROUND_TRIP, () => this.#endByPeer(connection, left));
    });
  }

  createSubflow({ token, ...wanted }: Given<"createSubflow">): Promise<void> {
    return this.#obey(describe("create", wanted), token, (connection, what) => {
      const { local } = wanted;
      const host = {
        hasAddress: (address: string) => this.#network.stateOf(address) !== "missing",
        choosePort: (remote: SocketAddress) => this.foresee(connection, { local, remote }),
        freePort: () => this.freePort(),
      };
      const { subflow, isForeseen } = userspace.beginSubflow(connection, wanted, host, what);
      if (!isForeseen) this.later(ROUND_TRIP, () => this.#answerJoin(connection, subflow));
    });
  }

  destroySubflow({ token, local, remote }: Given<"destroySubflow">): Promise<void> {
    return this.#obey(describe("destroy", { local, remote }), token, (connection, what) => {
      const subflow = userspace.subflowToDestroy(connection, local, remote, what);
      this.closeSubflow(connection, subflow, subflow.established ? undefined : "ECONNRESET");
    });
  }

  setSubflowFlags({ token, local, remote, flags }: Given<"setSubflowFlags">): Promise<void> {
    return this.#obey(describe("set flags of", { local, remote }), token, (connection, what) =>
      userspace.setBackup(connection, { local, remote }, flags.has("backup"), what),
    );
  }

  #nextToken(): number {
    this.#lastToken = (this.#lastToken + 0x01010101) >>> 0;
    return this.#lastToken;
  }

  /** Carries out a command for a connection of the userspace path manager. */
  #obey<T>(
    what: string,
    token: number,
    action: (connection: SimulatedConnection, what: string) => T,
  ): Promise<T> {
    const whole = `${what} ${tokenText(token)}`;
    return this.inTurn(() => action(userspace.managedConnection(this.connections, token, whole), whole));
  }

  /** Of an address that was withdrawn, if we have not done so before. */
  #endByPeer(connection: SimulatedConnection, subflows: readonly SimulatedSubflow[]): void {
    for (const subflow of subflows)
      if (connection.subflows.includes(subflow) && this.#network.stateOf(subflow.local.address) === "open")
        this.closeSubflow(connection, subflow);
  }

  #answerJoin(connection: SimulatedConnection, subflow: SimulatedSubflow): void {
    if (!connection.subflows.includes(subflow)) return;
    const isCut = this.#network.stateOf(subflow.local.address) !== "open";
    const answer = isCut ? "silence" : this.answer(subflow.local, subflow.remote);
    if (!answers.includes(answer))
      throw new Error(`"${answer}" is no answer of a peer: allowed are ${answers.join(", ")}`);
    if (answer === "refuse") this.closeSubflow(connection, subflow, "ECONNREFUSED");
    if (answer !== "accept") return;
    subflow.established = true;
    subflow.remoteId = peerIdOf(connection, subflow.remote.address);
    this.tell(subflowEvent("subflowEstablished", connection, subflow));
  }
}

function describe(
  verb: string,
  { local, remote }: Pick<userspace.WantedSubflow, "local" | "remote">,
): string {
  return `${verb} subflow ${local.address} to ${remote.address} of connection`;
}
