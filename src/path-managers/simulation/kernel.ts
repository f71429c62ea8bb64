import { type SocketAddress, tokenText } from "../../control/connections/connection.ts";
import { findSubflow } from "../../control/connections/connection-record.ts";
import {
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type LocalEnd,
  type MptcpEvent,
  type MptcpPm,
  type SubflowKey,
} from "../../kernel/mptcp-pm.ts";
import { eventFlags } from "../../kernel/mptcp-pm-events.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { Subscription } from "../../kernel/netlink/connection.ts";
import { errnoOf, KernelError } from "../../kernel/netlink/errors.ts";
import { ipFamily } from "../../kernel/netlink/ip.ts";
import { AF_INET, AF_INET6 } from "../../kernel/rtnetlink.ts";
import type { ConnectionOutline } from "../../kernel/sockets.ts";
import { AddressList, type ListedAddress } from "./address-list.ts";
import type { VirtualClock } from "./clock.ts";
import { outlineOf, peerIdOf, type SimulatedConnection, type SimulatedSubflow } from "./connection.ts";
import { SimulatedEndpoints } from "./endpoints.ts";
import type { SimulatedNetwork } from "./network.ts";

type EventListener = Parameters<MptcpPm["events"]>[0];

/** Milliseconds that a handshake takes. */
export const ROUND_TRIP = 20;

/** How the peer of a subflow that is to be answers: it joins, it resets, or nothing comes back. */
export type PeerAnswer = (typeof answers)[number];
const answers = ["accept", "refuse", "silence"] as const;

/** The kernel's side of connections, with the rules of net/mptcp/pm_userspace.c and pm_kernel.c that path managers meet. */
export class SimulatedKernel {
  readonly connections = new Map<number, SimulatedConnection>();
  readonly endpoints = new SimulatedEndpoints();
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
  readonly #clock: VirtualClock;
  readonly #network: Pick<SimulatedNetwork, "stateOf">;
  #listener: EventListener | undefined;
  #losing = false;
  #outstanding = 0;
  #lastToken = 0x10000000;
  readonly #firstPort: number;
  #portsGiven = 0;

  /** @param firstPort local ports are given from here to the last one, again and again */
  constructor(clock: VirtualClock, network: Pick<SimulatedNetwork, "stateOf">, firstPort = 49152) {
    this.#clock = clock;
    this.#network = network;
    this.#firstPort = firstPort;
  }

  /** As MptcpPm.events. */
  events(listener: EventListener): Subscription {
    this.#listener = listener;
    return {
      close: () => {
        if (this.#listener === listener) this.#listener = undefined;
      },
    };
  }

  /** Whether something has happened that nobody was told of yet, or an answer is on its way. */
  get isBusy(): boolean {
    return this.#outstanding > 0;
  }

  /** Loses all events until `overrun`, as a full receive queue does. */
  loseEvents(): void {
    this.#losing = true;
  }

  overrun(): void {
    this.#losing = false;
    this.#listener?.overrun();
  }

  /** As Sockets.dumpOutlines. */
  async dumpOutlines(): Promise<ConnectionOutline[]> {
    return Array.from(this.connections.values(), outlineOf);
  }

  /** Begins a connection. */
  open(
    given: Pick<SimulatedConnection, "local" | "remote" | "serverSide" | "denyJoinId0"> &
      Partial<Pick<SimulatedConnection, "pathManager" | "socketFamily">>,
  ): SimulatedConnection {
    const { local, remote, socketFamily = ipFamily(local.address) } = given;
    const connection: SimulatedConnection = {
      pathManager: this.pathManager,
      socketFamily,
      ...given,
      token: this.#nextToken(),
      established: false,
      subflows: [
        {
          ...{ local, remote, localId: 0, remoteId: 0, ifIndex: 0, initial: true },
          ...{ established: true, localBackup: false, remoteBackup: false },
          mapped: socketFamily === 6 && ipFamily(local.address) === 4,
        },
      ],
      ids: new AddressList(),
      announced: [],
      peerIds: new Map(),
    };
    this.connections.set(connection.token, connection);
    return connection;
  }

  #nextToken(): number {
    this.#lastToken = (this.#lastToken + 0x01010101) >>> 0;
    return this.#lastToken;
  }

  freePort(): number {
    return this.#firstPort + (this.#portsGiven++ % (65536 - this.#firstPort));
  }

  /** Tells whoever listens, in the order of the calls. */
  tell(event: MptcpEvent, delay = 0): void {
    this.#schedule(delay, () => {
      if (!this.#losing) this.#listener?.event(event);
    });
  }

  #schedule(delay: number, callback: () => void): void {
    this.#outstanding++;
    this.#clock.schedule(delay, () => {
      this.#outstanding--;
      callback();
    });
  }

  /** Does something when its turn comes, as a message to the kernel does: after all that is due at this moment. */
  inTurn<T>(action: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.#schedule(0, () => void action().then(resolve, reject)));
  }

  tellOpening(event: "created" | "established", connection: SimulatedConnection): void {
    const { token, local, remote, socketFamily, serverSide, denyJoinId0 } = connection;
    const flags = eventFlags.of(...(denyJoinId0 ? (["denyJoinId0"] as const) : []));
    const ends = endsOf(local, remote);
    const family = socketFamily === 4 ? AF_INET : AF_INET6;
    this.tell({ event, token, ...ends, family, flags, serverSide, denyJoinId0 });
  }

  tellSubflow(
    event: "subflowEstablished" | "subflowClosed" | "subflowPriority",
    { token }: SimulatedConnection,
    subflow: SimulatedSubflow,
    more: { readonly error?: number; readonly resetReason?: number } = {},
    delay = 0,
  ): void {
    const { local, remote, localId, remoteId, ifIndex, remoteBackup: backup, mapped } = subflow;
    const ends = {
      ...endsOf(local, remote),
      family: mapped || ipFamily(local.address) === 6 ? AF_INET6 : AF_INET,
    };
    this.tell({ event, token, ...ends, localId, remoteId, ifIndex, backup, ...more }, delay);
  }

  /** Ends a subflow, and says why. */
  closeSubflow(connection: SimulatedConnection, subflow: SimulatedSubflow, error?: string): void {
    connection.subflows = connection.subflows.filter((other) => other !== subflow);
    this.onEnd(connection, subflow);
    const why = error === undefined ? {} : { error: errnoOf(error) };
    this.tellSubflow("subflowClosed", connection, subflow, why);
  }

  // What follows is as MptcpPm has it. A command takes effect when its turn comes, as a message to the kernel does: who
  // gives one for ever does not hold up the event loop.

  announce(given: { token: number; address: string; id: number; port?: number }): Promise<void> {
    const what = `announce ${given.address} id ${given.id} to connection`;
    return this.#obey(what, given.token, (connection, what) => {
      const entry = { address: given.address, port: given.port ?? 0, id: given.id };
      if (given.id === 0) throw refusal(what, "EINVAL", "invalid addr id or flags");
      enter(what, connection, entry);
      connection.announced = [...connection.announced.filter(({ id }) => id !== given.id), entry];
    });
  }

  remove({ token, id }: { token: number; id: number }): Promise<void> {
    return this.#obey(`withdraw address id ${id} from connection`, token, (connection, what) => {
      const isUsed = connection.subflows.some(({ localId }) => localId === id);
      const isKnown = id === 0 ? isUsed : connection.ids.has(id);
      if (!isKnown) throw refusal(what, "EINVAL", "address with specified id not found");
      if (id !== 0) connection.ids.remove(id);
      connection.announced = connection.announced.filter((entry) => entry.id !== id);
      const left = connection.subflows.filter(({ localId }) => localId === id);
      this.#schedule(ROUND_TRIP, () => this.#endByPeer(connection, left));
    });
  }

  createSubflow(given: SubflowKey & { readonly flags?: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = given;
    const { id = 0, ifIndex = 0, address } = local;
    const what = `create subflow ${address} to ${remote.address} of connection`;
    return this.#obey(what, token, (connection, what) => {
      if (!familiesMatch(connection, local, remote)) throw refusal(what, "EINVAL", "families mismatch");
      enter(what, connection, { address, port: 0, id });
      const isMissing = this.#network.stateOf(address) === "missing";
      if (isMissing || !connection.established) {
        connection.ids.forget(address);
        throw refusal(what, isMissing ? "EADDRNOTAVAIL" : "ENOTCONN", "it cannot connect");
      }
      const target = { address: remote.address, port: remote.port ?? 0 };
      const port = this.foresee(connection, { local, remote: target });
      const subflow: SimulatedSubflow = {
        local: { address, port: port ?? this.freePort() },
        remote: target,
        ...{ localId: id, remoteId: 0, ifIndex, initial: false, established: false },
        localBackup: flags?.has("backup") ?? false,
        remoteBackup: false,
      };
      connection.subflows.push(subflow);
      if (port === undefined) this.#schedule(ROUND_TRIP, () => this.#answerJoin(connection, subflow));
    });
  }

  destroySubflow({ token, local, remote }: SubflowKey): Promise<void> {
    const what = `destroy subflow ${local.address} to ${remote.address} of connection`;
    return this.#obey(what, token, (connection, what) => {
      const subflow = findSubflow(connection.subflows, local, remote);
      if (subflow === undefined) throw refusal(what, "ESRCH", "subflow not found");
      connection.ids.forget(local.address);
      this.closeSubflow(connection, subflow, subflow.established ? undefined : "ECONNRESET");
    });
  }

  setSubflowFlags(given: SubflowKey & { readonly flags: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = given;
    const what = `set flags of subflow ${local.address} to ${remote.address} of connection`;
    return this.#obey(what, token, (connection, what) => {
      const subflow = findSubflow(connection.subflows, local, remote);
      // It does not say ESRCH here (net/mptcp/pm.c, mptcp_pm_mp_prio_send_ack).
      if (subflow === undefined) throw refusal(what, "EINVAL", "no such subflow");
      subflow.localBackup = flags.has("backup");
    });
  }

  dumpEndpoints(token?: number): Promise<Endpoint[]> {
    if (token === undefined) return this.inTurn(() => this.endpoints.dumpEndpoints());
    return this.#obey("list addresses of connection", token, ({ ids }) =>
      Array.from(ids, (entry) => ({ ...entry, flags: endpointFlags.of("subflow"), ifIndex: 0 })),
    );
  }

  /** Carries out a command for a connection of the userspace path manager. */
  #obey<T>(
    what: string,
    token: number,
    action: (connection: SimulatedConnection, what: string) => T,
  ): Promise<T> {
    const whole = `${what} ${tokenText(token)}`;
    return new Promise((resolve, reject) =>
      this.#schedule(0, () => {
        try {
          const connection = this.connections.get(token);
          if (connection === undefined) throw refusal(whole, "EINVAL", "invalid token");
          if (connection.pathManager === "kernel")
            throw refusal(whole, "EINVAL", "invalid request; userspace PM not selected");
          resolve(action(connection, whole));
        } catch (error) {
          reject(error);
        }
      }),
    );
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
    this.tellSubflow("subflowEstablished", connection, subflow);
  }
}

/** Puts an address on the kernel's list. */
function enter(what: string, { ids }: SimulatedConnection, entry: ListedAddress): void {
  if (!ids.enter(entry)) throw refusal(what, "EINVAL", "did not match address and id");
}

/** An IPv4 socket has IPv4 subflows only (net/mptcp/pm.c, mptcp_pm_addr_families_match). */
function familiesMatch(connection: SimulatedConnection, local: LocalEnd, remote: LocalEnd): boolean {
  const family = ipFamily(local.address);
  if (connection.socketFamily === 4 && family === 6) return false;
  return family === ipFamily(remote.address);
}

function endsOf(local: SocketAddress, remote: SocketAddress) {
  return {
    ...{ localAddress: local.address, localPort: local.port },
    ...{ remoteAddress: remote.address, remotePort: remote.port },
  };
}

function refusal(what: string, code: string, message: string): KernelError {
  return new KernelError(what, errnoOf(code), { message });
}
