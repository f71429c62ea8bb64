/**
 * Events and sockets in a few words. What is not said: a connection from 10.0.0.1 to 10.1.0.1, a subflow from 10.0.0.2.
 */
import type { ConnectionChange, SocketAddress } from "../../../../src/control/connections/connection.ts";
import type {
  ConnectionRecord,
  SubflowRecord,
} from "../../../../src/control/connections/connection-record.ts";
import type {
  EventOfConnection,
  EventOfSubflow,
  OpeningEvent,
} from "../../../../src/control/connections/from-events.ts";
import {
  type ListedConnection,
  listedConnections,
} from "../../../../src/control/connections/from-sock-diag.ts";
import { subflowFlags } from "../../../../src/kernel/inet-diag.ts";
import { eventFlags } from "../../../../src/kernel/mptcp-pm-events.ts";
import { AF_INET } from "../../../../src/kernel/socket-numbers.ts";
import type { ConnectionOutline, SubflowFlag, SubflowOutline } from "../../../../src/kernel/sockets.ts";

export const TOKEN = 1;

export function opening(
  event: OpeningEvent["event"],
  given: Partial<Omit<OpeningEvent, "event">> = {},
): OpeningEvent {
  return {
    event,
    token: TOKEN,
    family: AF_INET,
    localAddress: "10.0.0.1",
    localPort: 40000,
    remoteAddress: "10.1.0.1",
    remotePort: 80,
    flags: eventFlags.of(),
    serverSide: false,
    denyJoinId0: false,
    ...given,
  };
}

export function ofSubflow(
  event: EventOfSubflow["event"],
  given: Partial<Omit<EventOfSubflow, "event">> = {},
): EventOfSubflow {
  return {
    event,
    token: TOKEN,
    family: AF_INET,
    localId: 1,
    remoteId: 0,
    localAddress: "10.0.0.2",
    localPort: 50000,
    remoteAddress: "10.1.0.1",
    remotePort: 80,
    backup: false,
    ifIndex: 0,
    ...given,
  };
}

/** As `ofSubflow` gives them, of the initial subflow. */
export const initialEnds = { localId: 0, localAddress: "10.0.0.1", localPort: 40000 } as const;

export function announced(id: number, address: string, port = 80, token = TOKEN): EventOfConnection {
  return { event: "announced", token, remoteId: id, remoteAddress: address, remotePort: port };
}

export function removed(id: number, token = TOKEN): EventOfConnection {
  return { event: "removed", token, remoteId: id };
}

export function closed(token = TOKEN): EventOfConnection {
  return { event: "closed", token };
}

export type SubflowSketch = Partial<Omit<SubflowOutline, "flags">> & {
  readonly flags?: readonly SubflowFlag[];
};

export function subflowOutline({ flags = ["joinLocal"], ...given }: SubflowSketch = {}): SubflowOutline {
  return {
    socketFamily: 4,
    local: { address: "10.0.0.2", port: 50000 },
    remote: { address: "10.1.0.1", port: 80 },
    localId: 1,
    remoteId: 0,
    ifIndex: 0,
    state: "established",
    ...given,
    flags: subflowFlags.of(...flags, "fullyEstablished"),
  };
}

export function initialOutline(given: SubflowSketch = {}): SubflowOutline {
  const local = { address: "10.0.0.1", port: 40000 };
  return subflowOutline({ local, localId: 0, flags: ["capableLocal", "capableRemote"], ...given });
}

export function outline(given: Partial<ConnectionOutline> = {}): ConnectionOutline {
  return {
    token: TOKEN,
    socketFamily: 4,
    local: { address: "10.0.0.1", port: 40000 },
    remote: { address: "10.1.0.1", port: 80 },
    inode: 7,
    state: "established",
    fallback: false,
    subflows: [initialOutline()],
    ...given,
  };
}

/** The connection with its initial subflow and these. */
export function foundWith(...subflows: readonly SubflowOutline[]): ListedConnection {
  return found({ subflows: [initialOutline(), ...subflows] });
}

export function found(given: Partial<ConnectionOutline> = {}): ListedConnection {
  const [only] = listedConnections([outline(given)]);
  if (only === undefined) throw new Error("path managers have nothing to do with this one");
  return only;
}

/** A connection as text: a line for itself, one for each subflow and each address that the peer has announced. */
export function linesOf(connection: ConnectionRecord): string[] {
  const { token, state, local, remote, serverSide, denyJoinId0, subflows, announced } = connection;
  const side = serverSide === "unknown" ? "either" : serverSide ? "server" : "client";
  const deny = denyJoinId0 === true ? " deny-join-id0" : "";
  return [
    `${token} ${state} ${side}${deny} ${endOf(local)} > ${endOf(remote)}`,
    ...subflows.map(subflowLine),
    ...announced.map((address) => `announced ${address.id} ${endOf(address)}`),
  ];
}

export function subflowLine(subflow: SubflowRecord): string {
  const { local, localId, remote, remoteId, state, initial, ifIndex } = subflow;
  return [
    `${endOf(local)} id ${localId} > ${endOf(remote)} id ${remoteId} ${state}`,
    ...(initial ? ["initial"] : []),
    ...(ifIndex === 0 ? [] : [`dev ${ifIndex}`]),
    ...(subflow.localBackup ? ["backup here"] : []),
    ...(subflow.remoteBackup ? ["backup there"] : []),
    ...(subflow.mapped ? ["mapped"] : []),
  ].join(" ");
}

export function changeLine(change: ConnectionChange): string {
  const { type, connection } = change;
  const line = `${type} ${connection.token}`;
  if (change.type === "newAddress") return `${line}: ${change.address.id} ${endOf(change.address)}`;
  if (change.type === "addressRemoved") {
    const { id, address, port } = change.address;
    return `${line}: ${id}${address === undefined ? "" : ` ${address}:${port}`}`;
  }
  if (!("subflow" in change)) return line;
  const { local, remote, backup } = change.subflow;
  const ends = `${line}: ${endOf(local)} > ${endOf(remote)}`;
  if (change.type === "subflowPriority") return `${ends}${backup ? " backup" : ""}`;
  if (change.type !== "subflowClosed") return ends;
  return [ends, ...Object.entries(change.reason).map(([name, value]) => `${name}=${value}`)].join(" ");
}

export function endOf({ address, port }: SocketAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
