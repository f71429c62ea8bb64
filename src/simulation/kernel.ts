import { type SocketAddress, tokenText } from "../connections/connection.ts";
import { subflowFlags } from "../kernel/inet-diag.ts";
import {
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type LocalAddress,
  type MptcpEvent,
  type MptcpPm,
  type SubflowKey,
} from "../kernel/mptcp-pm.ts";
import { eventFlags } from "../kernel/mptcp-pm-events.ts";
import { AF_INET, AF_INET6 } from "../kernel/rtnetlink.ts";
import type { ConnectionOutline } from "../kernel/sockets.ts";
import type { Bits } from "../netlink/bits.ts";
import type { Subscription } from "../netlink/connection.ts";
import { errnoOf, KernelError } from "../netlink/errors.ts";
import { ipFamily, unmapped } from "../netlink/ip.ts";
import type { VirtualClock } from "./clock.ts";
import { SimulatedEndpoints } from "./endpoints.ts";
import type { SimulatedNetwork } from "./network.ts";

type EventListener = Parameters<MptcpPm["events"]>[0];

/** Milliseconds that a handshake takes. */
export const ROUND_TRIP = 20;

/** How the peer of a subflow that is to be answers: it joins, it resets, or nothing comes back. */
export type PeerAnswer = "accept" | "refuse" | "silence";

export interface SimulatedSubflow {
  local: SocketAddress;
  readonly remote: SocketAddress;
  readonly localId: number;
  remoteId: number;
  readonly ifIndex: number;
  readonly initial: boolean;
  /** It is IPv4 over a dual-stack socket. */
  readonly mapped?: boolean;
  established: boolean;
  localBackup: boolean;
  remoteBackup: boolean;
}

export interface SimulatedConnection {
  readonly token: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly serverSide: boolean;
  readonly denyJoinId0: boolean;
  established: boolean;
  subflows: SimulatedSubflow[];
  /** The kernel's list: each address, and each port that it is announced with, has an id. */
  ids: { readonly address: string; readonly port: number; readonly id: number }[];
  /** What the peer was told of. */
  announced: { readonly address: string; readonly port: number; readonly id: number }[];
}

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
    wanted: { readonly local: LocalAddress; readonly remote: SocketAddress },
  ) => number | undefined = () => undefined;
  /** Told of subflows that a command or a refusal has ended. */
  onEnd: (connection: SimulatedConnection, subflow: SimulatedSubflow) => void = () => undefined;
  readonly #clock: VirtualClock;
  readonly #network: Pick<SimulatedNetwork, "stateOf">;
  readonly #unmanaged = new WeakSet<SimulatedConnection>();
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
    given: Pick<SimulatedConnection, "local" | "remote" | "serverSide" | "denyJoinId0">,
  ): SimulatedConnection {
    const { local, remote } = given;
    const connection: SimulatedConnection = {
      ...given,
      token: this.#nextToken(),
      established: false,
      subflows: [
        {
          ...{ local, remote, localId: 0, remoteId: 0, ifIndex: 0, initial: true },
          ...{ established: true, localBackup: false, remoteBackup: false },
        },
      ],
      ids: [],
      announced: [],
    };
    if (this.pathManager === "kernel") this.#unmanaged.add(connection);
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

  tellOpening(event: "created" | "established", connection: SimulatedConnection): void {
    const { token, local, remote, serverSide, denyJoinId0 } = connection;
    const flags = eventFlags.of(...(denyJoinId0 ? (["denyJoinId0"] as const) : []));
    const ends = endsOf(local, remote);
    this.tell({ event, token, ...ends, family: familyOf(local.address), flags, serverSide, denyJoinId0 });
  }

  tellSubflow(
    event: "subflowEstablished" | "subflowClosed" | "subflowPriority",
    { token }: SimulatedConnection,
    subflow: SimulatedSubflow,
    more: { readonly error?: number; readonly resetReason?: number } = {},
    delay = 0,
  ): void {
    const { local, remote, localId, remoteId, ifIndex, remoteBackup: backup, mapped } = subflow;
    const ends = { ...endsOf(local, remote), family: mapped ? AF_INET6 : familyOf(local.address) };
    this.tell({ event, token, ...ends, localId, remoteId, ifIndex, backup, ...more }, delay);
  }

  /** Ends a subflow, and says why. */
  closeSubflow(connection: SimulatedConnection, subflow: SimulatedSubflow, error?: string): void {
    connection.subflows = connection.subflows.filter((other) => other !== subflow);
    this.onEnd(connection, subflow);
    const why = error === undefined ? {} : { error: errnoOf(error) };
    this.tellSubflow("subflowClosed", connection, subflow, why);
  }

  // What follows is as MptcpPm has it.

  async announce(given: { token: number; address: string; id: number; port?: number }): Promise<void> {
    const what = `announce ${given.address} id ${given.id} to connection`;
    const connection = this.#managed(what, given.token);
    const entry = { address: given.address, port: given.port ?? 0, id: given.id };
    if (given.id === 0) throw refusal(what, "EINVAL", "invalid addr id or flags");
    this.#enter(what, connection, entry);
    connection.announced = [...connection.announced.filter(({ id }) => id !== given.id), entry];
  }

  async remove({ token, id }: { token: number; id: number }): Promise<void> {
    const what = `withdraw address id ${id} from connection`;
    const connection = this.#managed(what, token);
    const isUsed = connection.subflows.some(({ localId }) => localId === id);
    const isKnown = id === 0 ? isUsed : connection.ids.some((entry) => entry.id === id);
    if (!isKnown) throw refusal(what, "EINVAL", "address with specified id not found");
    if (id !== 0) connection.ids = connection.ids.filter((entry) => entry.id !== id);
    connection.announced = connection.announced.filter((entry) => entry.id !== id);
    for (const subflow of connection.subflows)
      if (subflow.localId === id) this.closeSubflow(connection, subflow);
  }

  async createSubflow(given: SubflowKey & { readonly flags?: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = given;
    const what = `create subflow ${local.address} to ${remote.address} of connection`;
    const connection = this.#managed(what, token);
    if (ipFamily(local.address) !== ipFamily(remote.address))
      throw refusal(what, "EINVAL", "families mismatch");
    const { id = 0, ifIndex = 0, address } = local;
    this.#enter(what, connection, { address, port: 0, id });
    if (this.#network.stateOf(address) === "missing") {
      connection.ids = connection.ids.filter((entry) => entry.address !== address);
      throw refusal(what, "EADDRNOTAVAIL", "connect error: -99");
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
  }

  async destroySubflow({ token, local, remote }: SubflowKey): Promise<void> {
    const what = `destroy subflow ${local.address} to ${remote.address} of connection`;
    const connection = this.#managed(what, token);
    const subflow = this.#find(what, connection, local, remote);
    const at = connection.ids.findIndex(({ address }) => address === local.address);
    if (at >= 0) connection.ids.splice(at, 1);
    this.closeSubflow(connection, subflow, subflow.established ? undefined : "ECONNRESET");
  }

  async setSubflowFlags(given: SubflowKey & { readonly flags: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = given;
    const what = `set flags of subflow ${local.address} to ${remote.address} of connection`;
    this.#find(what, this.#managed(what, token), local, remote).localBackup = flags.has("backup");
  }

  async dumpEndpoints(token?: number): Promise<Endpoint[]> {
    if (token === undefined) return this.endpoints.dumpEndpoints();
    const { ids } = this.#managed("list addresses of connection", token);
    return ids.map((entry) => ({ ...entry, flags: endpointFlags.of("subflow"), ifIndex: 0 }));
  }

  #managed(what: string, token: number): SimulatedConnection {
    const connection = this.connections.get(token);
    const whole = `${what} 0x${tokenText(token)}`;
    if (connection === undefined) throw refusal(whole, "EINVAL", "invalid token");
    if (!this.#unmanaged.has(connection)) return connection;
    throw refusal(whole, "EINVAL", "userspace PM not selected");
  }

  /** Puts an address on the kernel's list (mptcp_userspace_pm_append_new_local_addr). */
  #enter(
    what: string,
    connection: SimulatedConnection,
    entry: { readonly address: string; readonly port: number; readonly id: number },
  ): void {
    for (const { address, port, id } of connection.ids) {
      const sameAddress = address === entry.address && port === entry.port;
      if (sameAddress && id === entry.id) return;
      if (sameAddress || id === entry.id) throw refusal(what, "EINVAL", "did not match address and id");
    }
    connection.ids.push(entry);
  }

  #find(
    what: string,
    { subflows }: SimulatedConnection,
    local: LocalAddress,
    remote: { readonly address: string; readonly port?: number },
  ): SimulatedSubflow {
    const found = subflows.find(
      (subflow) =>
        subflow.local.address === unmapped(local.address) &&
        subflow.local.port === local.port &&
        subflow.remote.address === unmapped(remote.address) &&
        subflow.remote.port === remote.port,
    );
    if (found === undefined) throw refusal(what, "ESRCH", "subflow not found");
    return found;
  }

  #answerJoin(connection: SimulatedConnection, subflow: SimulatedSubflow): void {
    if (!connection.subflows.includes(subflow)) return;
    const isCut = this.#network.stateOf(subflow.local.address) !== "open";
    const answer = isCut ? "silence" : this.answer(subflow.local, subflow.remote);
    if (answer === "refuse") this.closeSubflow(connection, subflow, "ECONNREFUSED");
    if (answer !== "accept") return;
    subflow.established = true;
    this.tellSubflow("subflowEstablished", connection, subflow);
  }
}

/** What sock_diag shows of a connection. */
function outlineOf(connection: SimulatedConnection): ConnectionOutline {
  const { token, local, remote, subflows, serverSide, established } = connection;
  const socketFamily = ipFamily(local.address);
  return {
    ...{ token, local, remote, socketFamily, state: "established", inode: token, fallback: false },
    subflows: subflows.map((subflow) => ({
      ...{ local: subflow.local, remote: subflow.remote, ifIndex: subflow.ifIndex },
      ...{ localId: subflow.localId, remoteId: subflow.remoteId },
      socketFamily: subflow.mapped ? 6 : ipFamily(subflow.local.address),
      state: subflow.established ? "established" : "syn-sent",
      flags: subflowFlags.of(
        ...(established ? (["fullyEstablished"] as const) : []),
        ...(subflow.initial ? (["capableRemote"] as const) : (["joinLocal"] as const)),
        ...(subflow.initial && !serverSide ? (["capableLocal"] as const) : []),
        ...(subflow.localBackup ? (["backupLocal"] as const) : []),
        ...(subflow.remoteBackup ? (["backupRemote"] as const) : []),
      ),
    })),
  };
}

function endsOf(local: SocketAddress, remote: SocketAddress) {
  return {
    ...{ localAddress: local.address, localPort: local.port },
    ...{ remoteAddress: remote.address, remotePort: remote.port },
  };
}

function familyOf(address: string): number {
  return ipFamily(address) === 4 ? AF_INET : AF_INET6;
}

function refusal(what: string, code: string, message: string): KernelError {
  return new KernelError(what, errnoOf(code), { message });
}
