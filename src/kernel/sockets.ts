import {
  infoExtension,
  NETLINK_SOCK_DIAG,
  SOCK_DIAG_BY_FAMILY,
  type TcpState,
  tcpStates,
} from "./inet-diag.ts";
import { mptcpOutline, mptcpSocket, socketRequest, tcpOutline, tcpSocket } from "./messages/codecs.ts";
import { body, type ConnectionOptions, NetlinkConnection } from "./netlink/connection.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP } from "./socket-numbers.ts";
import {
  byInode,
  byToken,
  type ConnectionOutline,
  connectionOutlineOf,
  describe,
  type MptcpConnection,
  type MptcpListener,
  peerOf,
  subflowOf,
  subflowOutlineOf,
  type TcpSocket,
} from "./socket-records.ts";

export type { TcpState } from "./inet-diag.ts";
export type { MptcpInfoFlag, SubflowFlag } from "./messages/flags.ts";
export type { MptcpInfo, SubflowInfo, TcpInfo } from "./messages/sock-diag.ts";
export type {
  CarryingSocket,
  ConnectionOutline,
  MptcpConnection,
  MptcpListener,
  MptcpSubflow,
  Socket,
  SocketAddress,
  SubflowOutline,
  TcpSocket,
} from "./socket-records.ts";

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
   * Connections, each with its subflows, joined by token, or by inode where the kernel does not tell tokens. Two dumps
   * are not one moment: a subflow that comes or goes between them may be missing.
   */
  async dumpConnections(): Promise<MptcpConnection[]> {
    const connections = await this.#dump(connectionsRequest, mptcpSocket.decode);
    const sockets = await this.#dump(subflowsRequest, tcpSocket.decode);
    const subflows = byToken(sockets.flatMap((socket) => subflowOf(socket) ?? []));
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

  /**
   * As `dumpConnections`, with a fraction of the work and memory. Most of the work is done as messages come, so that
   * the event loop goes on with a hundred thousand connections.
   */
  async dumpOutlines(): Promise<ConnectionOutline[]> {
    const connections = await this.#dump(connectionsRequest, (message) =>
      connectionOutlineOf(mptcpOutline.decode(message)),
    );
    const ofAll = await this.#dump(subflowsRequest, (message) =>
      subflowOutlineOf(tcpOutline.decode(message)),
    );
    const subflows = byToken(ofAll);
    return connections.map((connection) => ({ ...connection, subflows: subflows(connection.token) }));
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
    const listed = await this.#dump(mptcp, mptcpSocket.decode);
    const inodes = new Set(listed.map(({ inode }) => inode));
    const all = await this.#dump(tcp, tcpSocket.decode);
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
    const request = { what: "list TCP sockets", protocol: IPPROTO_TCP, states };
    const sockets = await this.#dump(request, tcpSocket.decode);
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
    read: (message: NetlinkMessage) => T | undefined,
  ): Promise<T[]> {
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
