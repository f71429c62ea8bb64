import { closeSync, constants, writeFileSync } from "node:fs";
import * as v from "valibot";
import { type Clock, systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import { RetriedWrite } from "../../base/retries.ts";
import { openGuarded, readStateFile, replaceStateFile } from "../../base/runtime-directory.ts";
import { parseJson } from "../../base/text.ts";
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
}

const VERSION = 1;
const LINES_BEFORE_REWRITE = 10_000;
/** 100,000 connections whose peers have announced two IPv6 addresses each take 21 MB, when it has just been written. */
const LARGEST_FILE = 64 * 1024 * 1024;

/**
 * Remembers what the kernel tells of a connection only once, for the time after a restart. A line for each fact,
 * appended before the event loop turns again, so that a daemon that is killed loses nothing that it has acted on.
 */
export class Checkpoint {
  readonly #options: CheckpointOptions;
  #facts: Map<number, StoredConnection> | undefined;
  #pending: string[] = [];
  #lines = 0;
  /** How many lines are too many: then most are about what is gone. */
  #rewriteAt = LINES_BEFORE_REWRITE;
  /** While it fails, nothing can be added to the file: it lacks something, and is written anew. */
  readonly #writes: RetriedWrite;

  constructor(options: CheckpointOptions) {
    const { file, warn, notice = ignore, clock = systemClock } = options;
    this.#options = options;
    this.#writes = new RetriedWrite({
      ...{ clock, what: file, log: { warning: warn, notice, debug: ignore } },
      consequence: "a restart will not know all of its connections",
    });
  }

  /** Reads what another process, or another thread, has left. */
  load(): void {
    const { file, bootId, warn } = this.#options;
    this.#facts = new Map();
    try {
      const text = readStateFile(file, LARGEST_FILE);
      if (text === undefined) return;
      const [header = "", ...lines] = text.split("\n");
      if (!v.is(headerSchema(bootId), parseJson(header))) return;
      for (const line of lines) apply(this.#facts, parseJson(line));
    } catch (error) {
      warn(`${file} cannot be used: ${messageOf(error)}`);
    }
  }

  /** What was left of a connection that sock_diag shows. */
  factsOf({ token, local, remote }: ListedConnection): Facts | undefined {
    const stored = this.#facts?.get(token);
    // Tokens are random, and may come back.
    const isSame = stored?.localPort === local.port && stored.remotePort === remote.port;
    return isSame ? stored : undefined;
  }

  /** Begins a file of our own, with the connections that there are; what was left is no longer needed. */
  begin(): void {
    this.#facts = undefined;
    this.#rewrite();
  }

  record(change: ConnectionChange): void {
    const line = lineOf(change);
    if (line === undefined || this.#facts !== undefined) return;
    if (this.#pending.length === 0) setImmediate(() => this.flush());
    this.#pending.push(line);
  }

  /** Writes what is pending. Without anything pending, writes the file anew if somebody has removed it. */
  flush(): void {
    if (this.#pending.length === 0) {
      const isBegun = this.#facts === undefined && this.#lines > 0;
      if (isBegun && !this.#writes.isFailing && !isThere(this.#options.file)) this.#rewrite();
      return;
    }
    this.#lines += this.#pending.length;
    // The table has the pending facts, too, and the file is written anew from it.
    if (this.#lines > this.#rewriteAt || (!this.#writes.isFailing && !this.#append())) this.#rewrite();
    this.#pending = [];
  }

  /** @returns false if it could not: perhaps somebody has cleaned up, and lines without a beginning are of no use */
  #append(): boolean {
    try {
      const fd = openGuarded(this.#options.file, constants.O_WRONLY | constants.O_APPEND);
      if (fd === undefined) return false;
      try {
        writeFileSync(fd, `${this.#pending.join("\n")}\n`);
      } finally {
        closeSync(fd);
      }
      return true;
    } catch {
      return false;
    }
  }

  #rewrite(): void {
    this.#writes.attempt(() => {
      const { file, bootId, connections } = this.#options;
      const lines = [JSON.stringify(["mptcpd connections", VERSION, bootId])];
      for (const connection of connections) lines.push(...linesOf(connection));
      const text = `${lines.join("\n")}\n`;
      this.#lines = lines.length;
      this.#pending = [];
      // If it fails: the next attempt is due when as much is new, or after a while.
      this.#rewriteAt = lines.length + connections.size;
      replaceStateFile(file, text);
      // Anew before nobody reads it any more, but not for every line.
      const room = Math.max((0.8 * LARGEST_FILE) / Buffer.byteLength(text), 1.25);
      this.#rewriteAt = Math.max(LINES_BEFORE_REWRITE, Math.floor(Math.min(4, room) * lines.length));
    });
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

function lineOf(change: ConnectionChange): string | undefined {
  const { connection } = change;
  switch (change.type) {
    case "newConnection":
    // The confirmation may tell more than the beginning.
    case "connectionEstablished":
      return open(connection);
    case "connectionClosed":
      return JSON.stringify(["closed", connection.token] satisfies Line);
    case "newAddress":
      return announce(connection, change.address);
    case "addressRemoved":
      return JSON.stringify(["withdrawn", connection.token, change.address.id] satisfies Line);
    default:
      return undefined;
  }
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

function apply(facts: Map<number, StoredConnection>, line: unknown): void {
  if (v.is(opened, line)) {
    const [, token, localPort, remotePort, serverSide, denyJoinId0, announcedIsComplete] = line;
    const before = facts.get(token)?.announced ?? [];
    const ports = { localPort, remotePort };
    facts.set(token, { ...ports, serverSide, denyJoinId0, announced: before, announcedIsComplete });
  } else if (v.is(closed, line)) facts.delete(line[1]);
  else if (v.is(announced, line)) {
    const [, token, id, address, port] = line;
    replaceAnnounced(facts, token, id, [{ id, address, port }]);
  } else if (v.is(withdrawn, line)) replaceAnnounced(facts, line[1], line[2], []);
}

function replaceAnnounced(
  facts: Map<number, StoredConnection>,
  token: number,
  id: number,
  by: readonly AnnouncedAddress[],
): void {
  const stored = facts.get(token);
  if (stored === undefined) return;
  facts.set(token, { ...stored, announced: [...stored.announced.filter((other) => other.id !== id), ...by] });
}
