import * as v from "valibot";
import { type Clock, systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import { RetriedWrite } from "../../base/retries.ts";
import { readStateFile } from "../../base/runtime-directory.ts";
import { parseJson } from "../../base/text.ts";
import { Journal } from "../journal.ts";
import type { AnnouncedAddress, Connection, ConnectionChange } from "./connection.ts";
import type { Facts } from "./connection-table.ts";
import type { ListedConnection } from "./from-sock-diag.ts";

export interface CheckpointOptions {
  readonly file: string;
  readonly bootId: string;
  /** All connections, to write the file anew when it is mostly about those that are gone. */
  readonly connections: Iterable<Connection> & { readonly size: number };
  /** Told when the file cannot be read or written: what it should hold will be unknown after a restart. */
  readonly warn: (message: string) => void;
  /** Told when it can be written again. */
  readonly notice?: (message: string) => void;
  readonly clock?: Clock;
  /** Whether the file may be written anew; by default always. */
  readonly isAllowed?: () => boolean;
}

const VERSION = 1;
const LINES_BEFORE_REWRITE = 10_000;
/** 100,000 connections whose peers have announced two IPv6 addresses each take 21 MB, when it has just been written. */
const LARGEST_FILE = 64 * 1024 * 1024;

/** Milliseconds between two writes: under load many connections have begun and ended by then, and need no line. */
const SPACING = 2;

/**
 * Remembers what the kernel tells of a connection only once, for the time after a restart. A line for each fact,
 * appended before the event loop turns again, or else 2 ms after the last one, so that a daemon that is killed loses
 * next to nothing that it has acted on.
 */
export class Checkpoint {
  readonly #options: CheckpointOptions;
  readonly #clock: Clock;
  /**
   * What another has left, by token, until a file of our own is begun. A line is read when its connection is asked for:
   * to read a hundred thousand at once takes seconds, in which the event loop would stand still.
   */
  #left: Map<number, string[]> | undefined;
  /** Changes whose lines are still to be made: of many connections none is needed by then. */
  #pending: ConnectionChange[] = [];
  #flushedAt = Number.NEGATIVE_INFINITY;
  #lines = 0;
  /** How many lines are too many: then most are about what is gone. */
  #rewriteAt = LINES_BEFORE_REWRITE;
  /** While it fails, nothing can be added to the file: it lacks something, and is written anew. */
  readonly #writes: RetriedWrite;
  readonly #journal: Journal;

  constructor(options: CheckpointOptions) {
    const { file, warn, notice = ignore, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#journal = new Journal(file, () => this.#wholeText(), options.isAllowed);
    this.#writes = new RetriedWrite({
      ...{ clock, what: file, log: { warning: warn, notice, debug: ignore } },
      consequence: "a restart will not know all of its connections",
    });
  }

  /** Reads what another process, or another thread, has left. */
  load(): void {
    const { file, bootId, warn } = this.#options;
    this.#left = new Map();
    try {
      const text = readStateFile(file, LARGEST_FILE);
      if (text === undefined) return;
      const [header = "", ...lines] = text.split("\n");
      if (!v.is(headerSchema(bootId), parseJson(header))) return;
      for (const line of lines) {
        const token = tokenOf(line);
        const own = this.#left.get(token);
        if (own === undefined) this.#left.set(token, [line]);
        else own.push(line);
      }
    } catch (error) {
      warn(`${file} cannot be used: ${messageOf(error)}`);
    }
  }

  /** What was left of a connection that sock_diag shows. */
  factsOf({ token, local, remote }: ListedConnection): Facts | undefined {
    const stored = this.#left?.get(token)?.reduce(afterLine, undefined);
    // Tokens are random, and may come back.
    const isSame = stored?.localPort === local.port && stored.remotePort === remote.port;
    return isSame ? stored : undefined;
  }

  /** Begins a file of our own, with the connections that there are; what was left is no longer needed. */
  begin(): void {
    this.#left = undefined;
    this.#rewrite();
  }

  record(change: ConnectionChange): void {
    if (this.#left !== undefined || !isFact(change)) return;
    if (this.#pending.length === 0) this.#flushSoon();
    this.#pending.push(change);
  }

  /** Writes what is pending. Without anything pending, writes the file anew if somebody has removed it. */
  flush(): void {
    if (this.#pending.length === 0) {
      const isBegun = this.#left === undefined && this.#lines > 0;
      if (isBegun && !this.#writes.isFailing && !isThere(this.#options.file)) this.#rewrite();
      return;
    }
    const lines = linesOfChanges(this.#pending);
    this.#pending = [];
    this.#flushedAt = this.#clock.now();
    if (lines.length === 0) return;
    this.#lines += lines.length;
    const isLong = this.#lines > this.#rewriteAt;
    // The table has the pending facts, too, and the file is written anew from it.
    if (isLong || (!this.#writes.isFailing && !this.#journal.add(textOf(lines)))) this.#rewrite();
  }

  /** Writes what is pending, and no more. */
  close(): void {
    this.flush();
    this.#left = new Map();
    this.#journal.close();
  }

  #flushSoon(): void {
    const flush = (): void => this.flush();
    if (this.#clock.now() - this.#flushedAt < SPACING) this.#clock.schedule(SPACING, flush);
    else setImmediate(flush);
  }

  #rewrite(): void {
    this.#writes.attempt(() => {
      const length = this.#journal.rewrite();
      if (length === 0) return;
      // Anew before nobody reads it any more, but not for every line.
      const room = Math.max((0.8 * LARGEST_FILE) / length, 1.25);
      this.#rewriteAt = Math.max(LINES_BEFORE_REWRITE, Math.floor(Math.min(4, room) * this.#lines));
    });
  }

  #wholeText(): string {
    const { bootId, connections } = this.#options;
    const lines = [JSON.stringify(["mptcpd connections", VERSION, bootId])];
    for (const connection of connections) lines.push(...linesOf(connection));
    this.#lines = lines.length;
    this.#pending = [];
    // If it cannot be written: the next attempt is due when as much is new, or after a while.
    this.#rewriteAt = lines.length + connections.size;
    return textOf(lines);
  }
}

const ignore = (): void => undefined;

interface StoredConnection extends Facts {
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

function linesOf(connection: Connection): string[] {
  return [open(connection), ...connection.announced.map((address) => announce(connection, address))];
}

function isFact({ type }: ConnectionChange): boolean {
  return type !== "newSubflow" && type !== "subflowClosed" && type !== "subflowPriority";
}

/** A line for each fact of connections that have not both begun and ended in these changes. */
function linesOfChanges(changes: readonly ConnectionChange[]): string[] {
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

function textOf(lines: readonly string[]): string {
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
function tokenOf(line: string): number {
  return Number.parseInt(line.slice(line.indexOf(",") + 1), 10);
}

/** What is known of a connection after one more of its lines. */
function afterLine(before: StoredConnection | undefined, text: string): StoredConnection | undefined {
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
