/** The sockets of every network namespace that some processes are in, each asked once. */
import { readlinkSync } from "node:fs";
import { openInNetworkNamespace } from "../kernel/network-namespace.ts";
import type { Process, Processes } from "../kernel/processes.ts";
import { Sockets } from "../kernel/sockets.ts";
import type { SocketLists } from "./status-sockets.ts";

export type AllSockets = {
  readonly lists: readonly SocketLists[];
  /** Network namespaces that may not be looked into, by inode. */
  readonly closed: readonly number[];
};

export async function listAllSockets(processes: Processes, holders: readonly Process[]): Promise<AllSockets> {
  const own = ownNamespace();
  const namespaces = new Map<number, number>([[own, process.pid]]);
  for (const { networkNamespace, sockets, pid } of holders)
    if (
      networkNamespace !== undefined &&
      sockets !== undefined &&
      sockets.size > 0 &&
      networkNamespace !== own
    )
      namespaces.set(networkNamespace, pid);
  const lists: SocketLists[] = [];
  const closed: number[] = [];
  for (const [networkNamespace, pid] of namespaces) {
    const opened = networkNamespace === own ? Sockets.open() : openThere(processes.networkNamespaceFile(pid));
    if (opened === undefined) closed.push(networkNamespace);
    else lists.push(await list(networkNamespace, opened));
  }
  return { lists, closed };
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

/** Undefined if it may not be entered. */
function openThere(namespaceFile: string): Sockets | undefined {
  try {
    return openInNetworkNamespace(namespaceFile, () => Sockets.open());
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EPERM" || error.code === "EACCES"))
      return undefined;
    throw error;
  }
}

function ownNamespace(): number {
  return Number(/\d+/.exec(readlinkSync("/proc/self/ns/net"))?.[0]);
}
