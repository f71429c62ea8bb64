import { ipFamily } from "../../kernel/netlink/ip.ts";
import type { ConnectionOutline, SubflowOutline } from "../../kernel/sockets.ts";
import type { Known, SocketAddress } from "./connection.ts";
import { SubflowRecord } from "./connection-record.ts";

/** A connection as sock_diag shows it. */
export interface ListedConnection {
  readonly token: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly socketFamily: 4 | 6;
  readonly established: boolean;
  readonly serverSide: Known<boolean>;
  readonly subflows: readonly SubflowRecord[];
}

/** The connections that path managers have to do with. Makes each one when it is asked for: there may be many. */
export function* listedConnections(outlines: Iterable<ConnectionOutline>): Generator<ListedConnection, void> {
  for (const outline of outlines) {
    if (!isManaged(outline)) continue;
    const { token, local, remote, socketFamily, subflows } = outline;
    yield {
      ...{ token, local, remote, socketFamily },
      established: subflows.length === 0 || subflows.some(({ flags }) => flags.has("fullyEstablished")),
      serverSide: serverSideOf(subflows),
      subflows: subflows.filter(isThere).map(toRecord),
    };
  }
}

/**
 * The subflows that connections would lose with each local address. Connections that became plain TCP are not counted:
 * the kernel does not close them with an endpoint.
 */
export function addressLoads(
  outlines: readonly ConnectionOutline[],
): Map<string, { readonly only: number; readonly initial: number }> {
  const loads = new Map<string, { only: number; initial: number }>();
  for (const { subflows } of outlines.filter(isInUse)) {
    const carrying = subflows.filter(carriesData);
    const addresses = new Set(carrying.map(({ local }) => local.address));
    for (const address of addresses) {
      const load = loads.get(address) ?? { only: 0, initial: 0 };
      if (addresses.size === 1) load.only++;
      if (carrying.some((subflow) => isInitial(subflow) && subflow.local.address === address)) load.initial++;
      loads.set(address, load);
    }
  }
  return loads;
}

/** Who sent MP_CAPABLE first has `capableLocal` on the initial subflow (net/mptcp/diag.c, request_mptcp). */
export function serverSideOf(subflows: readonly Pick<SubflowOutline, "flags">[]): Known<boolean> {
  const initial = subflows.find(isInitial);
  return initial === undefined ? "unknown" : !initial.flags.has("capableLocal");
}

export function isInitial({ flags }: Pick<SubflowOutline, "flags">): boolean {
  return flags.has("capableLocal") || flags.has("capableRemote");
}

/**
 * Not those that became plain TCP, and not those whose program has closed them: they have said so (CLOSED,
 * net/mptcp/protocol.c, __mptcp_close) and linger until the peer has acknowledged it. One that waits to be accepted
 * has no file either, but its program cannot have closed it.
 */
function isManaged({ fallback, inode, state }: ConnectionOutline): boolean {
  return !fallback && (inode !== 0 || state === "established" || state === "close-wait");
}

/** A side that has sent its FIN tells nobody anything more. */
function isThere({ state }: SubflowOutline): boolean {
  return state === "established" || state === "syn-sent" || state === "syn-recv" || state === "close-wait";
}

function toRecord(outline: SubflowOutline): SubflowRecord {
  const { local, flags, state, socketFamily } = outline;
  const subflow = new SubflowRecord(local, outline.remote, outline.localId);
  subflow.remoteId = outline.remoteId;
  subflow.state = state === "syn-sent" || state === "syn-recv" ? "connecting" : "established";
  subflow.initial = isInitial(outline);
  subflow.ifIndex = outline.ifIndex;
  subflow.localBackup = flags.has("backupLocal");
  subflow.remoteBackup = flags.has("backupRemote");
  subflow.mapped = socketFamily === 6 && ipFamily(local.address) === 4;
  return subflow;
}

/** Not one that its program has closed and the peer has acknowledged as a whole: it waits for the peer's end alone. */
function isInUse({ fallback, inode, state }: ConnectionOutline): boolean {
  return !fallback && !(inode === 0 && state === "fin-wait-2");
}

/** One that has sent its FIN may have data on its way, or receive. */
function carriesData({ state }: SubflowOutline): boolean {
  return state !== "syn-sent" && state !== "syn-recv";
}
