/** Sockets as they come out of sock_diag's messages, and which of them belong together. */
import { type TcpState, tcpStates } from "./inet-diag.ts";
import type { TcpOutline, TcpSocket as TcpSocketMessage } from "./messages/codecs.ts";
import { type SubflowFlag, subflowFlags } from "./messages/flags.ts";
import type { MptcpInfo, SubflowInfo, TcpInfo } from "./messages/sock-diag.ts";
import type { Bits } from "./netlink/bits.ts";
import { ipText, unmapped } from "./netlink/ip.ts";
import { AF_INET } from "./socket-numbers.ts";

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
   * Its sockets of which the kernel says no more than of any TCP socket: all of them before Linux 6.15 if the caller
   * has no CAP_NET_ADMIN, and that of a connection that became plain TCP. Missing while no program holds the
   * connection.
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

/** What the messages of all sockets have. */
type AnySocket = Pick<TcpSocketMessage, "family" | "state" | "id" | "uid" | "inode">;
type SubflowIds = TcpOutline["upperLayer"];

/** A subflow, and the token of its connection. */
export interface OfConnection<Subflow> {
  readonly token: number;
  readonly subflow: Subflow;
}

/** Puts subflows to their connections: gives those of a token, the initial one first. */
export function byToken<Subflow extends SubflowOutline>(
  all: readonly OfConnection<Subflow>[],
): (token: number) => readonly Subflow[] {
  const subflows = new Map<number, Subflow[]>();
  for (const { token, subflow } of all) {
    const siblings = subflows.get(token);
    if (siblings === undefined) subflows.set(token, [subflow]);
    else siblings.push(subflow);
  }
  return (token) => (subflows.get(token) ?? []).sort(byAge);
}

/** Gives the sockets without a token that have an inode, of those that are asked for; 0 is nobody's. */
export function byInode(
  sockets: readonly TcpSocketMessage[],
  inodes: ReadonlySet<number>,
): (inode: number) => readonly CarryingSocket[] {
  const found = new Map<number, CarryingSocket[]>();
  for (const socket of sockets) {
    const { inode, info, upperLayer } = socket;
    if (inode === 0 || !inodes.has(inode) || info === undefined) continue;
    if (upperLayer?.mptcp?.localToken !== undefined) continue;
    found.set(inode, [...(found.get(inode) ?? []), carryingSocketOf(socket, info)]);
  }
  return (inode) => found.get(inode) ?? [];
}

/** Undefined: a socket of TCP. */
export function subflowOf(socket: TcpSocketMessage): OfConnection<MptcpSubflow> | undefined {
  const outline = subflowOutlineOf(socket);
  const { info: tcp, upperLayer } = socket;
  const mptcp = upperLayer?.mptcp;
  if (outline === undefined || mptcp === undefined || tcp === undefined) return undefined;
  const { remoteToken = 0 } = mptcp;
  const subflow = { ...outline.subflow, ...carryingSocketOf(socket, tcp), remoteToken, mptcp };
  return { token: outline.token, subflow };
}

function carryingSocketOf(socket: AnySocket, tcp: TcpInfo): CarryingSocket {
  const { socketFamily, local, ifIndex } = describe(socket);
  return {
    ...{ socketFamily, local, ...peerOf(socket), ifIndex, tcp },
    bytes: { sent: tcp.bytesSent ?? 0, acked: tcp.bytesAcked ?? 0, received: tcp.bytesReceived ?? 0 },
  };
}

/** Undefined: a socket of TCP. */
export function subflowOutlineOf(
  socket: AnySocket & { readonly upperLayer?: SubflowIds },
): OfConnection<SubflowOutline> | undefined {
  const mptcp = socket.upperLayer?.mptcp;
  if (mptcp?.localToken === undefined) return undefined;
  const { localToken: token, flags = subflowFlags.of(), localId = 0, remoteId = 0 } = mptcp;
  const { socketFamily, local, ifIndex } = describe(socket);
  const { remote, state } = peerOf(socket);
  return { token, subflow: { socketFamily, local, remote, state, localId, remoteId, ifIndex, flags } };
}

/** Its subflows are listed elsewhere. Undefined: the kernel tells nothing of it but that it is there. */
export function connectionOutlineOf(
  socket: AnySocket & { readonly info?: Pick<MptcpInfo, "token" | "flags"> },
): Omit<ConnectionOutline, "subflows"> | undefined {
  const { info } = socket;
  if (info === undefined) return undefined;
  const { socketFamily, local, inode } = describe(socket);
  const { remote, state } = peerOf(socket);
  return {
    socketFamily,
    local,
    remote,
    state,
    inode,
    token: info.token,
    fallback: info.flags.has("fallback"),
  };
}

export function describe(socket: AnySocket): Socket {
  const { id, uid, inode, family } = socket;
  return {
    socketFamily: family === AF_INET ? 4 : 6,
    local: localOf(socket),
    ifIndex: id.ifIndex,
    uid,
    inode,
  };
}

function localOf({ family, id }: AnySocket): SocketAddress {
  return { address: addressOf(family, id.local), port: id.localPort };
}

export function peerOf({ family, id, state }: AnySocket): { remote: SocketAddress; state: TcpState } {
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
