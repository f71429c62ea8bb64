/** The sockets of every network namespace that some processes are in, each asked once. */

import { readlinkSync } from "node:fs";
import { codeOf } from "../base/errors.ts";
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
