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
  type TcpInfo,
  type TcpState,
  tcpOutline,
  tcpSocket,
  tcpStates,
} from "./inet-diag.ts";
import type { Bits } from "./netlink/bits.ts";
import type { Schema } from "./netlink/codec.ts";
import { body, type ConnectionOptions, NetlinkConnection } from "./netlink/connection.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { AF_INET, AF_INET6 } from "./rtnetlink.ts";
import { byInode, byToken, describe, peerOf, subflowOf, subflowOutlineOf } from "./socket-records.ts";

export type { MptcpInfo, MptcpInfoFlag, SubflowFlag, SubflowInfo, TcpInfo, TcpState } from "./inet-diag.ts";

/** Text in its canonical form. An IPv4 address of a dual-stack socket (::ffff:10.0.0.1) is an IPv4 address here. */
export type SocketAddress = { readonly address: string; readonly port: number };

export type Socket = {
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
  /**
   * Its sockets of which the kernel says no more than of any TCP socket: all of them before Linux 6.15 if the caller has
   * no CAP_NET_ADMIN, and that of a connection that became plain TCP. Missing while no program holds the connection.
   */
  readonly unidentified: readonly CarryingSocket[];
};

/** A TCP socket that carries an MPTCP connection, or a part of one. */
export type CarryingSocket = {
  readonly socketFamily: 4 | 6;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** The interface that it is bound to, as those of an endpoint with `dev` are; 0 = none. */
  readonly ifIndex: number;
  readonly state: TcpState;
  /** Payload bytes. `sent` counts retransmissions too, `acked` the SYN as one. */
  readonly bytes: { readonly sent: number; readonly acked: number; readonly received: number };
  readonly tcp: TcpInfo;
};

export type MptcpSubflow = CarryingSocket & {
  readonly localId: number;
  readonly remoteId: number;
  /** Of the connection at the other end; only the side that sent MP_JOIN knows it, else 0. */
  readonly remoteToken: number;
  readonly flags: Bits<SubflowFlag>;
  readonly mptcp: SubflowInfo;
};

export type MptcpListener = Socket & {
  /** Connections that wait to be accepted, and how many may. */
  readonly waiting: number;
  readonly backlog: number;
};

/** A connection with no more than what tells it and its subflows apart; see `MptcpConnection`. */
export type ConnectionOutline = Omit<
  MptcpConnection,
  "uid" | "ifIndex" | "info" | "subflows" | "unidentified"
> & {
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
   * Connections, each with its subflows, joined by token, or by inode where the kernel does not tell tokens. Two dumps are
   * not one moment: a subflow that comes or goes between them may be missing.
   */
  async dumpConnections(): Promise<MptcpConnection[]> {
    const connections = await this.#dump(connectionsRequest, mptcpSocket);
    const sockets = await this.#dump(subflowsRequest, tcpSocket);
    const subflows = byToken(sockets, subflowOf);
    const unidentified = byInode(sockets, new Set(connections.map(({ inode }) => inode)));
    return connections.flatMap((socket) => {
      const { info } = socket;
      if (info === undefined) return [];
      return {
        ...describe(socket),
        ...peerOf(socket),
        token: info.token,
        info,
        subflows: subflows(info.token),
        unidentified: unidentified(socket.inode),
      };
    });
  }

  /** As `dumpConnections`, with a fraction of the work and memory. */
  async dumpOutlines(): Promise<ConnectionOutline[]> {
    const connections = await this.#dump(connectionsRequest, mptcpOutline);
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

  /**
   * By two lists of the kernel. That of MPTCP (net/mptcp/mptcp_diag.c) leaves some out where several share a port
   * (SO_REUSEPORT). That of TCP has them all; before Linux 6.15, only callers with CAP_NET_ADMIN learn there which of
   * them are MPTCP.
   */
  async dumpListeners(): Promise<MptcpListener[]> {
    const states = maskOf("listen");
    const mptcp = { what: "list MPTCP listeners", protocol: IPPROTO_MPTCP, states };
    const tcp = { what: "list TCP listeners", protocol: IPPROTO_TCP, states };
    const listed = await this.#dump(mptcp, mptcpSocket);
    const inodes = new Set(listed.map(({ inode }) => inode));
    const all = await this.#dump(tcp, tcpSocket);
    const missing = all.filter(
      ({ upperLayer, inode }) => upperLayer?.name === "mptcp" && inode !== 0 && !inodes.has(inode),
    );
    return [...listed, ...missing].map((socket) => ({
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
    // What a socket is to MPTCP comes with struct tcp_info or not at all (net/ipv4/inet_diag.c, inet_sk_diag_fill).
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
