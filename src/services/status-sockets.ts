/** Which process has which sockets, in every network namespace, and whether they are MPTCP. */

import { readlinkSync } from "node:fs";
import { codeOf } from "../base/errors.ts";
import { openInNetworkNamespace } from "../kernel/network-namespace.ts";
import type { Process, Processes } from "../kernel/processes.ts";
import {
  type MptcpConnection,
  type MptcpListener,
  type SocketAddress,
  Sockets,
  type TcpSocket,
  type TcpState,
} from "../kernel/sockets.ts";

export type SocketStatus = {
  readonly protocol: "mptcp" | "tcp";
  readonly state: TcpState;
  readonly local: SocketAddress;
  /** Undefined for listeners. */
  readonly remote: SocketAddress | undefined;
  /** This side was ready for MPTCP, and yet it is TCP: the other side or the network did not take part. */
  readonly fallback: boolean;
  /** How many carry the connection; undefined for listeners and for TCP. */
  readonly subflows: number | undefined;
  /** The inode of its network namespace. */
  readonly networkNamespace: number;
  /** Who has it open, by pid. */
  readonly holders: readonly Holder[];
};

export type Holder = Pick<Process, "pid" | "name">;

/** The sockets of one network namespace. */
export type SocketLists = {
  /** Its inode. */
  readonly networkNamespace: number;
  readonly connections: readonly MptcpConnection[];
  readonly listeners: readonly MptcpListener[];
  /** Subflows of MPTCP may be among them. */
  readonly tcp: readonly TcpSocket[];
};

export type AllSockets = {
  readonly lists: readonly SocketLists[];
  /** Network namespaces that may not be looked into, by inode. */
  readonly closed: readonly number[];
};

/** The sockets of every network namespace that some processes are in, each asked once. */
export async function listAllSockets(processes: Processes, holders: readonly Process[]): Promise<AllSockets> {
  const own = ownNamespace();
  const lists = [await list(own, Sockets.open())];
  const closed: number[] = [];
  for (const [networkNamespace, pids] of inhabitants(holders)) {
    if (networkNamespace === own) continue;
    const opened = openThere(
      networkNamespace,
      pids.map((pid) => processes.networkNamespaceFile(pid)),
    );
    if (opened === "closed") closed.push(networkNamespace);
    else if (opened !== "gone") lists.push(await list(networkNamespace, opened));
  }
  return { lists, closed };
}

/** Every socket that some process has open: listeners first, then by address. */
export function joinSockets(
  lists: readonly SocketLists[],
  processes: readonly Pick<Process, "pid" | "name" | "sockets">[],
): SocketStatus[] {
  const byInode = new Map<number, Holder[]>();
  for (const { pid, name, sockets } of processes)
    for (const inode of sockets ?? []) byInode.set(inode, [...(byInode.get(inode) ?? []), { pid, name }]);
  return lists
    .flatMap(describeAll)
    .flatMap(({ inode, ...socket }) => {
      const holders = byInode.get(inode);
      return holders === undefined ? [] : [{ ...socket, holders: holders.toSorted((a, b) => a.pid - b.pid) }];
    })
    .toSorted(byPlace);
}

/** Those of some processes, which are named as their only holders. */
export function socketsOf(sockets: readonly SocketStatus[], pids: ReadonlySet<number>): SocketStatus[] {
  return sockets.flatMap((socket) => {
    const holders = socket.holders.filter(({ pid }) => pids.has(pid));
    return holders.length === 0 ? [] : [{ ...socket, holders }];
  });
}

type Described = Omit<SocketStatus, "holders"> & { readonly inode: number };

function describeAll({ networkNamespace, connections, listeners, tcp }: SocketLists): Described[] {
  const ofMptcp = new Set([...connections, ...listeners].map(({ inode }) => inode));
  const plain = tcp.filter(({ inode }) => !ofMptcp.has(inode));
  return [
    ...listeners.map((listener) => ({
      ...common(listener, networkNamespace),
      protocol: "mptcp" as const,
      state: "listen" as const,
      remote: undefined,
      fallback: false,
      subflows: undefined,
    })),
    ...connections.map((connection) => ({
      ...common(connection, networkNamespace),
      protocol: "mptcp" as const,
      state: connection.state,
      remote: connection.remote,
      fallback: connection.info.flags.has("fallback"),
      subflows: subflowsOf(connection),
    })),
    ...plain.map((socket) => ({
      ...common(socket, networkNamespace),
      protocol: "tcp" as const,
      state: socket.state,
      remote: socket.state === "listen" ? undefined : socket.remote,
      // What an MPTCP listener accepts from a peer that speaks TCP is a TCP socket (mptcp_stream_accept()).
      fallback: socket.state !== "listen" && isAcceptedBy(listeners, plain, socket),
      subflows: undefined,
    })),
  ];
}

/** The kernel gives a connection to the listener at its very address, else to one at all addresses. */
function isAcceptedBy(listeners: readonly MptcpListener[], tcp: readonly TcpSocket[], { local }: TcpSocket) {
  const tcpListeners = tcp.filter(({ state }) => state === "listen");
  const at = (sockets: readonly Pick<MptcpListener, "local">[], addresses: readonly string[]) =>
    sockets.some((socket) => socket.local.port === local.port && addresses.includes(socket.local.address));
  if (at(listeners, [local.address])) return true;
  return at(listeners, wildcards) && !at(tcpListeners, [local.address]);
}

const wildcards = ["0.0.0.0", "::"];

function common({ local, inode }: TcpSocket | MptcpListener, networkNamespace: number) {
  return { local, inode, networkNamespace };
}

/** Kernels before 6.5 count only those beside the initial one, which may be gone. */
function subflowsOf({ info, subflows }: MptcpConnection): number {
  return info.subflowsTotal ?? (subflows.length || info.subflows + 1);
}

function byPlace(a: SocketStatus, b: SocketStatus): number {
  const isConnection = ({ state }: SocketStatus) => Number(state !== "listen");
  return (
    isConnection(a) - isConnection(b) ||
    a.networkNamespace - b.networkNamespace ||
    byAddress(a.local, b.local) ||
    byAddress(a.remote ?? a.local, b.remote ?? b.local)
  );
}

function byAddress(a: SocketAddress, b: SocketAddress): number {
  return a.port - b.port || (a.address < b.address ? -1 : Number(a.address > b.address));
}

/** The processes with sockets, by their network namespace. */
function inhabitants(holders: readonly Process[]): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { networkNamespace, sockets, pid } of holders)
    if (networkNamespace !== undefined && sockets !== undefined && sockets.size > 0)
      found.set(networkNamespace, [...(found.get(networkNamespace) ?? []), pid]);
  return found;
}

async function list(networkNamespace: number, sockets: Sockets): Promise<SocketLists> {
  try {
    const connections = await sockets.dumpConnections();
    const listeners = await sockets.dumpListeners();
    return { networkNamespace, connections, listeners, tcp: await sockets.dumpTcp() };
  } finally {
    sockets.close();
  }
}

/**
 * By the first of its processes that is there still: any of them may end while others are looked at. Closed: it may not
 * be entered. Gone: none of them is left, and its sockets are nobody's.
 */
function openThere(networkNamespace: number, files: readonly string[]): Sockets | "closed" | "gone" {
  let closed = false;
  for (const file of files)
    try {
      // The process id may belong to another process by now.
      const opened = openInNetworkNamespace(file, () =>
        ownNamespace() === networkNamespace ? Sockets.open() : undefined,
      );
      if (opened !== undefined) return opened;
    } catch (error) {
      const code = codeOf(error);
      if (code === "EPERM" || code === "EACCES") closed = true;
      else if (code !== "ENOENT" && code !== "ESRCH") throw error;
    }
  return closed ? "closed" : "gone";
}

function ownNamespace(): number {
  return Number(/\d+/.exec(readlinkSync("/proc/thread-self/ns/net"))?.[0]);
}
