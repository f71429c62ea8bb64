import type { Bits } from "../netlink/bits.ts";
import { body, type ConnectionOptions, NetlinkConnection } from "../netlink/connection.ts";
import { ipText } from "../netlink/ip.ts";
import type { Decoded, Schema } from "../netlink/record.ts";
import type { NetlinkMessage } from "../netlink/wire.ts";
import {
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  infoExtension,
  type MptcpInfo,
  mptcpSocket,
  NETLINK_SOCK_DIAG,
  SOCK_DIAG_BY_FAMILY,
  type SubflowFlag,
  type SubflowInfo,
  socketRequest,
  subflowFlags,
  type TcpInfo,
  type TcpState,
  tcpSocket,
  tcpStates,
} from "./inet-diag.ts";

export type { MptcpInfo, MptcpInfoFlag, SubflowFlag, SubflowInfo, TcpInfo, TcpState } from "./inet-diag.ts";

/** Text in its canonical form. An IPv4 address of a dual-stack socket (::ffff:10.0.0.1) is an IPv4 address here. */
export type SocketAddress = { readonly address: string; readonly port: number };

type Socket = {
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
    const what = "list MPTCP connections";
    const connections = await this.#dump(what, IPPROTO_MPTCP, liveStates, mptcpSocket);
    const subflows = await this.#dump(what, IPPROTO_TCP, liveStates, tcpSocket);
    return joinByToken(connections, subflows);
  }

  async dumpListeners(): Promise<MptcpListener[]> {
    const sockets = await this.#dump("list MPTCP listeners", IPPROTO_MPTCP, maskOf("listen"), mptcpSocket);
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
    const sockets = await this.#dump("list TCP sockets", IPPROTO_TCP, states, tcpSocket);
    return sockets
      .filter(({ upperLayer }) => upperLayer?.name !== "mptcp")
      .map((socket) => ({ ...describe(socket), remote: remoteOf(socket), state: stateOf(socket.state) }));
  }

  close(): void {
    this.#connection.close();
  }

  /** The kernel lists one address family at a time. */
  async #dump<T>(
    what: string,
    protocol: number,
    states: number,
    schema: Pick<Schema<T, never>, "decode">,
  ): Promise<T[]> {
    const read = (message: NetlinkMessage) => schema.decode(message);
    const request = (family: number) => ({
      what,
      type: SOCK_DIAG_BY_FAMILY,
      body: body(socketRequest, {
        family,
        states,
        extensions: infoExtension,
        protocol: protocol & 0xff,
        wideProtocol: protocol,
      }),
    });
    const ipv4 = await this.#connection.dump(request(AF_INET), read);
    const ipv6 = await this.#connection.dump(request(AF_INET6), read);
    return [...ipv4.items, ...ipv6.items];
  }
}

/** Puts subflows to their connections. Exported for tests. */
export function joinByToken(
  connections: readonly Decoded<typeof mptcpSocket>[],
  sockets: readonly Decoded<typeof tcpSocket>[],
): MptcpConnection[] {
  const subflows = new Map<number, MptcpSubflow[]>();
  for (const socket of sockets) {
    const { info: tcp, upperLayer } = socket;
    const mptcp = upperLayer?.mptcp;
    if (mptcp?.localToken === undefined || tcp === undefined) continue;
    const siblings = subflows.get(mptcp.localToken) ?? [];
    siblings.push(subflowOf(socket, mptcp, tcp));
    subflows.set(mptcp.localToken, siblings);
  }
  return connections.flatMap((socket) => {
    const { info } = socket;
    if (info === undefined) return [];
    const own = subflows.get(info.token) ?? [];
    return {
      ...describe(socket),
      token: info.token,
      remote: remoteOf(socket),
      state: stateOf(socket.state),
      info,
      subflows: own.sort(byAge),
    };
  });
}

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

function maskOf(...states: readonly TcpState[]): number {
  return states.reduce((mask, state) => mask | (1 << tcpStates[state]), 0);
}

type AnySocket = Pick<Decoded<typeof tcpSocket>, "family" | "state" | "id" | "uid" | "inode">;

function subflowOf(socket: Decoded<typeof tcpSocket>, mptcp: SubflowInfo, tcp: TcpInfo): MptcpSubflow {
  return {
    local: localOf(socket),
    remote: remoteOf(socket),
    localId: mptcp.localId ?? 0,
    remoteId: mptcp.remoteId ?? 0,
    remoteToken: mptcp.remoteToken ?? 0,
    ifIndex: socket.id.ifIndex,
    state: stateOf(socket.state),
    flags: mptcp.flags ?? subflowFlags.of(),
    bytes: { sent: tcp.bytesSent ?? 0, acked: tcp.bytesAcked ?? 0, received: tcp.bytesReceived ?? 0 },
    mptcp,
    tcp,
  };
}

function describe(socket: AnySocket): Socket {
  return { local: localOf(socket), ifIndex: socket.id.ifIndex, uid: socket.uid, inode: socket.inode };
}

function localOf({ family, id }: AnySocket): SocketAddress {
  return { address: addressOf(family, id.local), port: id.localPort };
}

function remoteOf({ family, id }: AnySocket): SocketAddress {
  return { address: addressOf(family, id.remote), port: id.remotePort };
}

function addressOf(family: number, bytes: Uint8Array): string {
  if (family === AF_INET) return ipText(bytes.subarray(0, 4));
  const text = ipText(bytes);
  return text.startsWith("::ffff:") && text.includes(".") ? text.slice("::ffff:".length) : text;
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
function byAge(a: MptcpSubflow, b: MptcpSubflow): number {
  const joined = (subflow: MptcpSubflow) =>
    Number(subflow.flags.has("joinLocal") || subflow.flags.has("joinRemote"));
  return joined(a) - joined(b) || a.localId - b.localId || a.remoteId - b.remoteId;
}
