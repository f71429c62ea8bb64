/** MPTCP connections and subflows as text for people, in the style of `wg show`, and as objects for JSON. */

import { table, wrapped } from "../../../base/command-line/terminal.ts";
import { type Subflow, tokenText } from "../../../control/connections/connection.ts";
import { isInitial, serverSideOf } from "../../../control/connections/from-sock-diag.ts";
import type {
  CarryingSocket,
  MptcpConnection,
  MptcpSubflow,
  SocketAddress,
} from "../../../kernel/sockets.ts";
import type { JsonObject } from "./ip-format.ts";

/** The interface by which a socket's packets leave; undefined if the socket has none of its own. */
export type InterfaceOf = (socket: CarryingSocket) => string | undefined;

/** @param columns if the table of subflows is wider than this, each subflow gets lines of its own */
export function connectionText(
  connection: MptcpConnection,
  interfaceOf: InterfaceOf,
  columns = Number.POSITIVE_INFINITY,
): string {
  const { token, local, remote, state, subflows, unidentified, info } = connection;
  const words = [state, ...(side(connection) ?? []), ...(isFallback(info) ? ["fallback to TCP"] : [])];
  const headline = `connection ${tokenText(token)}: ${placeText(local)} to ${placeText(remote)}, ${words.join(", ")}`;
  const rows = [
    ...subflows.map((subflow) => rowOf(subflow, interfaceOf, subflow)),
    ...unidentified.map((socket) => rowOf(socket, interfaceOf)),
  ];
  const head = wrapped(headline, columns);
  if (rows.length === 0) return head;
  const whole = table([titles, ...rows], "  ");
  const fits = whole.split("\n").every((line) => line.length <= columns);
  return head + (fits ? whole : rows.map((row) => rowLines(row, columns)).join(""));
}

/** A subflow in a terminal too narrow for the table: its ends first, then the other values with their names. */
function rowLines(row: readonly string[], columns: number): string {
  const [local, localId, remote, remoteId, device, state, backup, rtt, cwnd, sent, received, again] = row;
  const ends = `${local} id ${localId} to ${remote} id ${remoteId}`;
  const rest = [
    ...[device, state, ...backupWords(backup), `RTT ${rtt}`, `cwnd ${cwnd}`],
    ...[`sent ${sent}`, `received ${received}`, `retransmitted ${again}`],
  ];
  return wrapped(ends, columns, "  ") + wrapped(rest.join(", "), columns, "    ");
}

/**
 * Names and values are those that path managers' programs get (path-managers/runtime/json.ts), plus the kernel's
 * counters. Times are in microseconds, sizes in bytes. Unknown values are left out.
 */
export function connectionObject(connection: MptcpConnection, interfaceOf: InterfaceOf): JsonObject {
  const { token, local, remote, state, subflows, unidentified, info, uid } = connection;
  return {
    token: tokenText(token),
    state,
    local,
    remote,
    serverSide: serverSideOf(subflows),
    fallback: isFallback(info),
    uid,
    bytesSent: info.bytesSent,
    bytesReceived: info.bytesReceived,
    bytesRetransmitted: info.bytesRetransmitted,
    subflows: [
      ...subflows.map((subflow) => socketObject(subflow, interfaceOf, subflow)),
      ...unidentified.map((socket) => socketObject(socket, interfaceOf)),
    ],
  };
}

/** The fields that a socket has only if the kernel says that it is a subflow. */
type Identity = Pick<MptcpSubflow, "localId" | "remoteId" | "flags">;

const titles = [
  ...["LOCAL", "ID", "REMOTE", "ID", "INTERFACE", "STATE", "BACKUP"],
  ...["RTT", "CWND", "SENT", "RECEIVED", "RETRANSMITTED"],
];

function rowOf(socket: CarryingSocket, interfaceOf: InterfaceOf, identity?: Identity): string[] {
  const { local, remote, state, bytes, tcp } = socket;
  return [
    placeText(local),
    String(identity?.localId ?? "?"),
    placeText(remote),
    String(identity?.remoteId ?? "?"),
    interfaceOf(socket) ?? "-",
    state,
    identity === undefined ? "?" : backupText(identity),
    `${(tcp.rtt / 1000).toFixed(tcp.rtt < 100_000 ? 2 : 0)} ms`,
    String(tcp.congestionWindow),
    sizeText(bytes.sent),
    sizeText(bytes.received),
    sizeText(tcp.bytesRetransmitted ?? 0),
  ];
}

function backupWords(backup = "-"): string[] {
  if (backup === "-") return [];
  return [backup === "?" ? "backup unknown" : `backup for ${backup}`];
}

function socketObject(socket: CarryingSocket, interfaceOf: InterfaceOf, identity?: Identity): JsonObject {
  const { local, remote, state, bytes, tcp, ifIndex } = socket;
  return {
    local,
    remote,
    localId: identity?.localId,
    remoteId: identity?.remoteId,
    initial: identity && isInitial(identity),
    interface: interfaceOf(socket),
    ifIndex,
    state,
    localBackup: identity?.flags.has("backupLocal"),
    remoteBackup: identity?.flags.has("backupRemote"),
    rtt: tcp.rtt,
    cwnd: tcp.congestionWindow,
    bytesSent: bytes.sent,
    bytesReceived: bytes.received,
    bytesRetransmitted: tcp.bytesRetransmitted,
  };
}

function side({ subflows }: MptcpConnection): string[] | undefined {
  const serverSide = serverSideOf(subflows);
  return serverSide === "unknown" ? undefined : [serverSide ? "server" : "client"];
}

function isFallback({ flags }: MptcpConnection["info"]): boolean {
  return flags.has("fallback");
}

function backupText({ flags }: Identity): string {
  const ours = flags.has("backupLocal");
  if (flags.has("backupRemote")) return ours ? "both" : "peer";
  return ours ? "us" : "-";
}

/** In the form that the other commands take: "10.0.1.2 port 80". */
export function placeText({ address, port }: SocketAddress): string {
  return `${address} port ${port}`;
}

/** "512 B", "1.21 KiB", as wg(8) prints sizes. */
function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let [size, unit] = [bytes, 0];
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${size.toFixed(2)} ${units[unit]}`;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Begins with the words that `subflow destroy` and `subflow change` take. */
export function subflowLine(token: number, subflow: Subflow, device: string | undefined): string {
  const { local, remote, localId, state, localBackup } = subflow;
  const words = [
    `token ${tokenText(token)}`,
    // The kernel chooses the port when it connects; the port is known only once the subflow is connected.
    local.port === 0 ? local.address : placeText(local),
    `to ${placeText(remote)}`,
    `id ${localId}`,
    ...(device === undefined ? [] : [`dev ${device}`]),
    ...(localBackup ? ["backup"] : []),
    state,
  ];
  return `${words.join(" ")}\n`;
}

/** The fields have the names of `connections -j`. */
export function subflowObject(token: number, subflow: Subflow, device: string | undefined): JsonObject {
  const { local, remote, localId, remoteId, initial, ifIndex, state, localBackup, remoteBackup } = subflow;
  return {
    token: tokenText(token),
    ...{ local, remote, localId, remoteId, initial, interface: device, ifIndex, state },
    ...{ localBackup, remoteBackup },
  };
}
