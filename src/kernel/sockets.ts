import type { Bits } from "../netlink/bits.ts";
import { body, type ConnectionOptions, NetlinkConnection } from "../netlink/connection.ts";
import { ipText, unmapped } from "../netlink/ip.ts";
import type { Decoded, Schema } from "../netlink/record.ts";
import type { NetlinkMessage } from "../netlink/wire.ts";
import {
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  infoExtension,
  type MptcpInfo,
  mptcpOutline,
  mptcpSocket,
  NETLINK_SOCK_DIAG,
  SOCK_DIAG_BY_FAMILY,
  type SubflowFlag,
  type SubflowInfo,
  socketRequest,
  subflowFlags,
  type TcpInfo,
  type TcpState,
  tcpOutline,
  tcpSocket,
  tcpStates,
} from "./inet-diag.ts";

export type { MptcpInfo, MptcpInfoFlag, SubflowFlag, SubflowInfo, TcpInfo, TcpState } from "./inet-diag.ts";

/** Text in its canonical form. An IPv4 address of a dual-stack socket (::ffff:10.0.0.1) is an IPv4 address here. */
export type SocketAddress = { readonly address: string; readonly port: number };

type Socket = {
  /** 6 also for IPv4 over a dual-stack socket. */
  readonly socketFamily: 4 | 6;
  readonly local: SocketAddress;
  /** The interface that it is bound to; 0 = none. */
  readonly ifIndex: number;
  readonly uid: number;
  /** 0 when no process holds it any more. */
  readonly inode: number;
};

/** A socket of IPPROTO_MPTCP with its subflows. */
export type MptcpConnection = Socket & {
  readonly token: number;
  readonly remote: SocketAddress;
  readonly state: TcpState;
  readonly info: MptcpInfo;
  /**
   * In the order in which they were opened, as far as address ids tell: the initial one first. Empty for a
   * connection that has lost all of them, or (fallback) became plain TCP.
   */
  readonly subflows: readonly MptcpSubflow[];
};

/** A TCP socket that carries a part of an MPTCP connection. */
export type MptcpSubflow = {
  readonly socketFamily: 4 | 6;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly localId: number;
  readonly remoteId: number;
  /** Of the connection at the other end; only the side that sent MP_JOIN knows it, else 0. */
  readonly remoteToken: number;
  /** The interface that it is bound to, as those of an endpoint with `dev` are; 0 = none. */
  readonly ifIndex: number;
  readonly state: TcpState;
  readonly flags: Bits<SubflowFlag>;
  /** Payload bytes. `sent` counts retransmissions too, `acked` the SYN as one. */
  readonly bytes: { readonly sent: number; readonly acked: number; readonly received: number };
  readonly mptcp: SubflowInfo;
  readonly tcp: TcpInfo;
};

export type MptcpListener = Socket & {
  /** Connections that wait to be accepted, and how many may. */
  readonly waiting: number;
  readonly backlog: number;
};

/** A connection with no more than what tells it and its subflows apart; see `MptcpConnection`. */
export type ConnectionOutline = Omit<MptcpConnection, "uid" | "ifIndex" | "info" | "subflows"> & {
  /** It became plain TCP. */
  readonly fallback: boolean;
  readonly subflows: readonly SubflowOutline[];
};

export type SubflowOutline = Omit<MptcpSubflow, "remoteToken" | "bytes" | "mptcp" | "tcp">;

/** A socket of IPPROTO_TCP. */
export type TcpSocket = Socket & { readonly remote: SocketAddress; readonly state: TcpState };

/** The sockets of the network namespace in which it was opened, by sock_diag(7). */
export class Sockets {
  readonly #connection: NetlinkConnection;

  static open(options: Omit<ConnectionOptions, "protocol"> = {}): Sockets {
    return new Sockets(NetlinkConnection.open({ ...options, protocol: NETLINK_SOCK_DIAG }));
  }

  private constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /**
   * Connections, each with its subflows, joined by token. Kernels leave the subflows' tokens out for callers without
   * CAP_NET_ADMIN: then they cannot be joined and are missing. Two dumps are not one moment: a subflow that comes or
   * goes between them may be missing.
   */
  async dumpConnections(): Promise<MptcpConnection[]> {
    const connections = await this.#dump(connectionsRequest, mptcpSocket);
    const subflows = byToken(await this.#dump(subflowsRequest, tcpSocket), subflowOf);
    return connections.flatMap((socket) => {
      const { info } = socket;
      if (info === undefined) return [];
      return {
        ...describe(socket),
        ...peerOf(socket),
        token: info.token,
        info,
        subflows: subflows(info.token),
      };
    });
  }

  /** As `dumpConnections`, with a fraction of the work and memory. */
  async dumpOutlines(): Promise<ConnectionOutline[]> {
    const connections = await this.#dump(connectionsRequest, mptcpOutline);
    // What makes a subflow of a socket comes only with INET_DIAG_INFO (net/ipv4/inet_diag.c, inet_sk_diag_fill).
    const subflows = byToken(await this.#dump(subflowsRequest, tcpOutline), subflowOutlineOf);
    return connections.flatMap((socket) => {
      const { info } = socket;
      if (info === undefined) return [];
      const { socketFamily, local, inode } = describe(socket);
      const fallback = info.flags.has("fallback");
      const whole = { ...peerOf(socket), token: info.token, fallback, subflows: subflows(info.token) };
      return { socketFamily, local, inode, ...whole };
    });
  }

  async dumpListeners(): Promise<MptcpListener[]> {
    const request = { what: "list MPTCP listeners", protocol: IPPROTO_MPTCP, states: maskOf("listen") };
    const sockets = await this.#dump(request, mptcpSocket);
    return sockets.map((socket) => ({
      ...describe(socket),
      waiting: socket.receiveQueue,
      backlog: socket.sendQueue,
    }));
  }

  /**
   * Listening and connected TCP sockets but the subflows of MPTCP. Callers without CAP_NET_ADMIN get those as well;
   * they have the inode of the MPTCP socket that they belong to.
   */
  async dumpTcp(): Promise<TcpSocket[]> {
    const states = liveStates | maskOf("listen");
    const sockets = await this.#dump({ what: "list TCP sockets", protocol: IPPROTO_TCP, states }, tcpSocket);
    return sockets
      .filter(({ upperLayer }) => upperLayer?.name !== "mptcp")
      .map((socket) => ({ ...describe(socket), ...peerOf(socket) }));
  }

  close(): void {
    this.#connection.close();
  }

  /** The kernel lists one address family at a time. */
  async #dump<T>(
    { what, protocol, states }: DumpRequest,
    schema: Pick<Schema<T, never>, "decode">,
  ): Promise<T[]> {
    const read = (message: NetlinkMessage) => schema.decode(message);
    const wanted = { states, extensions: infoExtension, protocol: protocol & 0xff, wideProtocol: protocol };
    const request = (family: number) => ({
      what,
      type: SOCK_DIAG_BY_FAMILY,
      body: body(socketRequest, { ...wanted, family }),
    });
    const ipv4 = await this.#connection.dump(request(AF_INET), read);
    const ipv6 = await this.#connection.dump(request(AF_INET6), read);
    return [...ipv4.items, ...ipv6.items];
  }
}

type DumpRequest = {
  readonly what: string;
  readonly protocol: number;
  readonly states: number;
};

const AF_INET = 2;
const AF_INET6 = 10;

/** Without LISTEN; without TIME_WAIT and NEW_SYN_RECV, which are no whole sockets and know no upper layer. */
const liveStates = maskOf(
  "established",
  "syn-sent",
  "syn-recv",
  "fin-wait-1",
  "fin-wait-2",
  "close-wait",
  "last-ack",
  "closing",
);

const connectionsRequest = { what: "list MPTCP connections", protocol: IPPROTO_MPTCP, states: liveStates };
const subflowsRequest = { what: "list MPTCP subflows", protocol: IPPROTO_TCP, states: liveStates };

function maskOf(...states: readonly TcpState[]): number {
  return states.reduce((mask, state) => mask | (1 << tcpStates[state]), 0);
}

type AnySocket = Pick<Decoded<typeof tcpSocket>, "family" | "state" | "id" | "uid" | "inode">;
type SubflowIds = Decoded<typeof tcpOutline>["upperLayer"];

/** Puts subflows to their connections: gives those of a token, the initial one first. */
function byToken<S extends AnySocket & { readonly upperLayer?: SubflowIds }, Subflow extends SubflowOutline>(
  sockets: readonly S[],
  toSubflow: (socket: S) => Subflow | undefined,
): (token: number) => readonly Subflow[] {
  const subflows = new Map<number, Subflow[]>();
  for (const socket of sockets) {
    const token = socket.upperLayer?.mptcp?.localToken;
    const subflow = token === undefined ? undefined : toSubflow(socket);
    if (token === undefined || subflow === undefined) continue;
    const siblings = subflows.get(token);
    if (siblings === undefined) subflows.set(token, [subflow]);
    else siblings.push(subflow);
  }
  return (token) => (subflows.get(token) ?? []).sort(byAge);
}

function subflowOf(socket: Decoded<typeof tcpSocket>): MptcpSubflow | undefined {
  const { info: tcp, upperLayer } = socket;
  const mptcp = upperLayer?.mptcp;
  if (mptcp === undefined || tcp === undefined) return undefined;
  return {
    ...subflowOutlineOf(socket),
    remoteToken: mptcp.remoteToken ?? 0,
    bytes: { sent: tcp.bytesSent ?? 0, acked: tcp.bytesAcked ?? 0, received: tcp.bytesReceived ?? 0 },
    mptcp,
    tcp,
  };
}

function subflowOutlineOf(socket: AnySocket & { readonly upperLayer?: SubflowIds }): SubflowOutline {
  const { flags = subflowFlags.of(), localId = 0, remoteId = 0 } = socket.upperLayer?.mptcp ?? {};
  const { socketFamily, local, ifIndex } = describe(socket);
  return { socketFamily, local, ...peerOf(socket), localId, remoteId, ifIndex, flags };
}

function familyOf({ family }: AnySocket): 4 | 6 {
  return family === AF_INET ? 4 : 6;
}

function describe(socket: AnySocket): Socket {
  const { id, uid, inode } = socket;
  return { socketFamily: familyOf(socket), local: localOf(socket), ifIndex: id.ifIndex, uid, inode };
}

function localOf({ family, id }: AnySocket): SocketAddress {
  return { address: addressOf(family, id.local), port: id.localPort };
}

function peerOf({ family, id, state }: AnySocket): { remote: SocketAddress; state: TcpState } {
  return { remote: { address: addressOf(family, id.remote), port: id.remotePort }, state: stateOf(state) };
}

function addressOf(family: number, bytes: Uint8Array): string {
  return family === AF_INET ? ipText(bytes.subarray(0, 4)) : unmapped(ipText(bytes));
}

const stateNames = new Map<number, TcpState>();
for (const state of Object.keys(tcpStates)) if (isTcpState(state)) stateNames.set(tcpStates[state], state);

function isTcpState(name: string): name is TcpState {
  return Object.hasOwn(tcpStates, name);
}

function stateOf(number: number): TcpState {
  return stateNames.get(number) ?? "close";
}

/** Joins come after MP_CAPABLE; among joins, lower ids first. */
function byAge(a: SubflowOutline, b: SubflowOutline): number {
  const joined = (subflow: SubflowOutline) =>
    Number(subflow.flags.has("joinLocal") || subflow.flags.has("joinRemote"));
  return joined(a) - joined(b) || a.localId - b.localId || a.remoteId - b.remoteId;
}
