/** Sockets as they come out of sock_diag's messages, and which of them belong together. */

import {
  subflowFlags,
  type TcpInfo,
  type TcpState,
  type tcpOutline,
  type tcpSocket,
  tcpStates,
} from "./inet-diag.ts";
import type { Decoded } from "./netlink/codec.ts";
import { ipText, unmapped } from "./netlink/ip.ts";
import { AF_INET } from "./rtnetlink.ts";
import type { CarryingSocket, MptcpSubflow, Socket, SocketAddress, SubflowOutline } from "./sockets.ts";

export type AnySocket = Pick<Decoded<typeof tcpSocket>, "family" | "state" | "id" | "uid" | "inode">;
type SubflowIds = Decoded<typeof tcpOutline>["upperLayer"];

/** Puts subflows to their connections: gives those of a token, the initial one first. */
export function byToken<
  S extends AnySocket & { readonly upperLayer?: SubflowIds },
  Subflow extends SubflowOutline,
>(
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

/** Gives the sockets without a token that have an inode, of those that are asked for; 0 is nobody's. */
export function byInode(
  sockets: readonly Decoded<typeof tcpSocket>[],
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

export function subflowOf(socket: Decoded<typeof tcpSocket>): MptcpSubflow | undefined {
  const { info: tcp, upperLayer } = socket;
  const mptcp = upperLayer?.mptcp;
  if (mptcp === undefined || tcp === undefined) return undefined;
  return {
    ...subflowOutlineOf(socket),
    ...carryingSocketOf(socket, tcp),
    remoteToken: mptcp.remoteToken ?? 0,
    mptcp,
  };
}

function carryingSocketOf(socket: AnySocket, tcp: TcpInfo): CarryingSocket {
  const { socketFamily, local, ifIndex } = describe(socket);
  return {
    ...{ socketFamily, local, ...peerOf(socket), ifIndex, tcp },
    bytes: { sent: tcp.bytesSent ?? 0, acked: tcp.bytesAcked ?? 0, received: tcp.bytesReceived ?? 0 },
  };
}

export function subflowOutlineOf(socket: AnySocket & { readonly upperLayer?: SubflowIds }): SubflowOutline {
  const { flags = subflowFlags.of(), localId = 0, remoteId = 0 } = socket.upperLayer?.mptcp ?? {};
  const { socketFamily, local, ifIndex } = describe(socket);
  return { socketFamily, local, ...peerOf(socket), localId, remoteId, ifIndex, flags };
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
