import type { SocketAddress } from "../../control/connections/connection.ts";
import { subflowFlags } from "../../kernel/inet-diag.ts";
import { ipFamily } from "../../kernel/netlink/ip.ts";
import type { ConnectionOutline } from "../../kernel/sockets.ts";
import type { AddressList, ListedAddress } from "./address-list.ts";

export interface SimulatedSubflow {
  readonly local: SocketAddress;
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

/** A connection as the kernel knows it. */
export interface SimulatedConnection {
  readonly token: number;
  /** 6 also for IPv4 over a dual-stack socket. */
  readonly socketFamily: 4 | 6;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly serverSide: boolean;
  readonly denyJoinId0: boolean;
  readonly pathManager: "kernel" | "userspace";
  established: boolean;
  subflows: SimulatedSubflow[];
  readonly ids: AddressList;
  /** What the peer was told of. */
  announced: ListedAddress[];
  /** The peer's own ids of its addresses, but for the first one's, which is 0. */
  readonly peerIds: Map<string, number>;
}

/** The id that the peer has for an address of its own. */
export function peerIdOf({ remote, peerIds }: SimulatedConnection, address: string): number {
  if (address === remote.address) return 0;
  const known = peerIds.get(address);
  if (known !== undefined) return known;
  const id = Math.max(0, ...peerIds.values()) + 1;
  peerIds.set(address, id);
  return id;
}

/** What sock_diag shows of a connection. */
export function outlineOf(connection: SimulatedConnection): ConnectionOutline {
  const { token, local, remote, socketFamily, subflows, serverSide, established } = connection;
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
