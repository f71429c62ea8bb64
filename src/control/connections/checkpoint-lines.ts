/** The lines of a checkpoint: a header, then one for each fact about a connection. */
import * as v from "valibot";
import { parseJson } from "../../base/text.ts";
import type { AnnouncedAddress, Connection, ConnectionChange } from "./connection.ts";
import type { Facts } from "./connection-table.ts";

const VERSION = 1;

export function headerLine(bootId: string): string {
  return JSON.stringify(["mptcpd connections", VERSION, bootId]);
}

/** Whether a line is the header of a checkpoint of this boot and of this version. */
export function isHeader(line: string, bootId: string): boolean {
  return v.is(headerSchema(bootId), parseJson(line));
}

/** The facts of a connection, with its ports: tokens are random, and may come back. */
export interface StoredConnection extends Facts {
  readonly localPort: number;
  readonly remotePort: number;
}

const token = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffffffff));
const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff));
const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff));
const known = v.union([v.boolean(), v.literal("unknown")]);

const headerSchema = (bootId: string) =>
  v.tuple([v.literal("mptcpd connections"), v.literal(VERSION), v.literal(bootId)]);
const opened = v.tuple([v.literal("opened"), token, port, port, known, known, v.boolean()]);
const announced = v.tuple([v.literal("announced"), token, id, v.string(), port]);
const withdrawn = v.tuple([v.literal("withdrawn"), token, id]);
const closed = v.tuple([v.literal("closed"), token]);
type Line =
  | v.InferOutput<typeof opened>
  | v.InferOutput<typeof announced>
  | v.InferOutput<typeof withdrawn>
  | v.InferOutput<typeof closed>;

export function linesOf(connection: Connection): string[] {
  return [open(connection), ...connection.announced.map((address) => announce(connection, address))];
}

export function isFact({ type }: ConnectionChange): boolean {
  return type !== "newSubflow" && type !== "subflowClosed" && type !== "subflowPriority";
}

/** A line for each fact of connections that have not both begun and ended in these changes. */
export function linesOfChanges(changes: readonly ConnectionChange[]): string[] {
  const begun = new Set<Connection>();
  const lines: string[] = [];
  for (const change of changes) {
    const { type, connection } = change;
    const isKnown = !begun.has(connection);
    if (type === "newConnection") begun.add(connection);
    if (connection.state !== "closed") {
      // The confirmation may tell more than the beginning, of which the line is made only now.
      if (type !== "connectionEstablished" || isKnown) lines.push(...lineOf(change));
    } else if (type === "connectionClosed" && isKnown)
      lines.push(JSON.stringify(["closed", connection.token] satisfies Line));
  }
  return lines;
}

function lineOf(change: ConnectionChange): string[] {
  const { connection } = change;
  switch (change.type) {
    case "newConnection":
    case "connectionEstablished":
      return [open(connection)];
    case "newAddress":
      return [announce(connection, change.address)];
    case "addressRemoved":
      return [JSON.stringify(["withdrawn", connection.token, change.address.id] satisfies Line)];
    default:
      return [];
  }
}

export function textOf(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

function open({ token, local, remote, serverSide, denyJoinId0, announcedIsComplete }: Connection): string {
  return JSON.stringify([
    "opened",
    token,
    local.port,
    remote.port,
    serverSide,
    denyJoinId0,
    announcedIsComplete,
  ] satisfies Line);
}

function announce({ token }: Connection, { id, address, port }: AnnouncedAddress): string {
  return JSON.stringify(["announced", token, id, address, port] satisfies Line);
}

/** Where a line has it: NaN, or any number, for a line that is none of ours. */
export function tokenOf(line: string): number {
  return Number.parseInt(line.slice(line.indexOf(",") + 1), 10);
}

/** What is known of a connection after one more of its lines. */
export function afterLine(before: StoredConnection | undefined, text: string): StoredConnection | undefined {
  const line = parseJson(text);
  if (v.is(opened, line)) {
    const [, , localPort, remotePort, serverSide, denyJoinId0, announcedIsComplete] = line;
    const announced = before?.announced ?? [];
    return { localPort, remotePort, serverSide, denyJoinId0, announced, announcedIsComplete };
  }
  if (v.is(closed, line)) return undefined;
  if (v.is(announced, line)) {
    const [, , id, address, port] = line;
    return withAnnounced(before, id, [{ id, address, port }]);
  }
  return v.is(withdrawn, line) ? withAnnounced(before, line[2], []) : before;
}

function withAnnounced(
  stored: StoredConnection | undefined,
  id: number,
  by: readonly AnnouncedAddress[],
): StoredConnection | undefined {
  return stored && { ...stored, announced: [...stored.announced.filter((other) => other.id !== id), ...by] };
}
