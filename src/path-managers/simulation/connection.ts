import type { SocketAddress } from "../../control/connections/connection.ts";
import { subflowFlags } from "../../kernel/inet-diag.ts";
import type { MptcpEvent } from "../../kernel/mptcp-pm.ts";
import { eventFlags } from "../../kernel/mptcp-pm-events.ts";
import { errnoOf } from "../../kernel/netlink/errors.ts";
import { ipFamily, mapped } from "../../kernel/netlink/ip.ts";
import { AF_INET, AF_INET6 } from "../../kernel/socket-numbers.ts";
import type { ConnectionOutline } from "../../kernel/sockets.ts";
import type { AddressList, ListedAddress } from "./address-list.ts";

export interface SimulatedSubflow {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly localId: number;
  remoteId: number;
  readonly ifIndex: number;
  readonly initial: boolean;
  /** The peer has made it. */
  readonly joined?: boolean;
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
  announced: Pick<ListedAddress, "address" | "port" | "id">[];
  /** The peer's own ids of its addresses, but for the first one's, which is 0. */
  readonly peerIds: Map<string, number>;
}

/** The id that the peer has for an address of its own: the lowest free one, where it has not announced the address. */
export function peerIdOf({ remote, peerIds }: SimulatedConnection, address: string): number {
  if (address === remote.address) return 0;
  const known = peerIds.get(address);
  if (known !== undefined) return known;
  const taken = new Set(peerIds.values());
  let id = 1;
  while (taken.has(id)) id++;
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
        ...rolesOf(subflow, serverSide),
        ...(subflow.localBackup ? (["backupLocal"] as const) : []),
        ...(subflow.remoteBackup ? (["backupRemote"] as const) : []),
      ),
    })),
  };
}

/** net/mptcp/diag.c, subflow_get_info: "local" is who has asked for it, "remote" that the peer has agreed. */
function rolesOf({ initial, joined, established }: SimulatedSubflow, serverSide: boolean) {
  if (initial)
    return serverSide ? (["capableRemote"] as const) : (["capableLocal", "capableRemote"] as const);
  if (joined) return ["joinRemote"] as const;
  return established ? (["joinLocal", "joinRemote"] as const) : (["joinLocal"] as const);
}

/** The event of a connection that begins. */
export function openingEvent(
  event: "created" | "established",
  { token, local, remote, socketFamily, serverSide, denyJoinId0 }: SimulatedConnection,
): MptcpEvent {
  const flags = eventFlags.of(
    ...(denyJoinId0 ? (["denyJoinId0"] as const) : []),
    ...(serverSide ? (["serverSide"] as const) : []),
  );
  const ends = endsOf({ local, remote, mapped: socketFamily === 6 && ipFamily(local.address) === 4 });
  return { event, token, ...ends, flags, serverSide, denyJoinId0 };
}

/** Why a subflow has ended. */
export interface SubflowEnd {
  /** The name of an errno. */
  readonly error?: string | undefined;
  /** MPTCP_RST_* */
  readonly resetReason?: number;
}

/** An event of a subflow. */
export function subflowEvent(
  event: "subflowEstablished" | "subflowClosed" | "subflowPriority",
  { token }: Pick<SimulatedConnection, "token">,
  subflow: SimulatedSubflow,
  { error, ...reason }: SubflowEnd = {},
): MptcpEvent {
  const { localId, remoteId, ifIndex, remoteBackup: backup } = subflow;
  const why = { ...(error !== undefined && { error: errnoOf(error) }), ...reason };
  return { event, token, ...endsOf(subflow), localId, remoteId, ifIndex, backup, ...why };
}

function endsOf({ local, remote, mapped: isMapped }: Pick<SimulatedSubflow, "local" | "remote" | "mapped">) {
  const spell = isMapped ? mapped : (address: string): string => address;
  return {
    family: isMapped || ipFamily(local.address) === 6 ? AF_INET6 : AF_INET,
    ...{ localAddress: spell(local.address), localPort: local.port },
    ...{ remoteAddress: spell(remote.address), remotePort: remote.port },
  };
}
