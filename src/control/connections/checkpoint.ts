import { type Clock, systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { isThere } from "../../base/files.ts";
import { RetriedWrite } from "../../base/retries.ts";
import { readStateFile } from "../../base/runtime-directory.ts";
import { Journal } from "../journal.ts";
import {
  afterLine,
  headerLine,
  isFact,
  isHeader,
  linesOf,
  linesOfChanges,
  textOf,
  tokenOf,
} from "./checkpoint-lines.ts";
import type { Connection, ConnectionChange } from "./connection.ts";
import type { Facts } from "./connection-table.ts";
import type { ListedConnection } from "./from-sock-diag.ts";

export interface CheckpointOptions {
  readonly file: string;
  readonly bootId: string;
  /** All connections, to rewrite the file when most of its lines are about closed connections. */
  readonly connections: Iterable<Connection> & { readonly size: number };
  /** Called when the file cannot be read or written: its contents will be unknown after a restart. */
  readonly warn: (message: string) => void;
  /** Called when it can be written again. */
  readonly notice?: (message: string) => void;
  readonly clock?: Clock;
  /** Whether the file may be rewritten; by default always. */
  readonly isAllowed?: () => boolean;
}

const LINES_BEFORE_REWRITE = 10_000;
/** 100,000 connections whose peers have announced two IPv6 addresses each take 21 MB, when it has just been written. */
const LARGEST_FILE = 64 * 1024 * 1024;

/** Milliseconds between two writes: under load many connections have begun and ended by then, and need no line. */
const SPACING = 2;

/**
 * Keeps, over a restart, the facts about a connection that the kernel tells only once. Each fact is a line, appended
 * before the event loop turns again, or else 2 ms after the last line. So a daemon that is killed loses almost none of
 * the facts that it has acted on.
 */
export class Checkpoint {
  readonly #options: CheckpointOptions;
  readonly #clock: Clock;
  /**
   * The lines that another checkpoint has left, by token, until a file of our own is begun. The lines of a connection
   * are parsed when it is asked for: parsing a hundred thousand at once would stop the event loop for seconds.
   */
  #left: Map<number, string[]> | undefined;
  /** Changes whose lines are still to be made; many connections have ended by then and need no line. */
  #pending: ConnectionChange[] = [];
  #flushedAt = Number.NEGATIVE_INFINITY;
  #lines = 0;
  /** With more lines than this, most are about closed connections. */
  #rewriteAt = LINES_BEFORE_REWRITE;
  /** While writing fails, nothing can be added: the file is incomplete and must be rewritten. */
  readonly #writes: RetriedWrite;
  readonly #journal: Journal;

  constructor(options: CheckpointOptions) {
    const { file, warn, notice = ignore, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#journal = new Journal(file, () => this.#wholeText(), options.isAllowed);
    this.#writes = new RetriedWrite({
      ...{ clock, what: file, log: { warning: warn, notice, debug: ignore } },
      consequence: "after a restart, mptcpd will not know everything about its connections",
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
      if (!isHeader(header, bootId)) return;
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

  /** The stored facts about a connection that sock_diag shows. */
  factsOf({ token, local, remote }: ListedConnection): Facts | undefined {
    const stored = this.#left?.get(token)?.reduce(afterLine, undefined);
    // Tokens are random, and may come back.
    const isSame = stored?.localPort === local.port && stored.remotePort === remote.port;
    return isSame ? stored : undefined;
  }

  /** Begins our own file with the present connections; the old contents are no longer needed. */
  begin(): void {
    this.#left = undefined;
    this.#rewrite();
  }

  record(change: ConnectionChange): void {
    if (this.#left !== undefined || !isFact(change)) return;
    if (this.#pending.length === 0) this.#flushSoon();
    this.#pending.push(change);
  }

  /** Writes pending changes. If there are none, rewrites the file if somebody has removed it. */
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
    // The table has the pending facts too, and the file is rewritten from the table.
    if (isLong || (!this.#writes.isFailing && !this.#journal.add(textOf(lines)))) this.#rewrite();
  }

  /** Writes pending changes, and nothing else. */
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
      // Rewrite the file when most of its lines are out of date, not after every line.
      const room = Math.max((0.8 * LARGEST_FILE) / length, 1.25);
      this.#rewriteAt = Math.max(LINES_BEFORE_REWRITE, Math.floor(Math.min(4, room) * this.#lines));
    });
  }

  #wholeText(): string {
    const { bootId, connections } = this.#options;
    const lines = [headerLine(bootId)];
    for (const connection of connections) lines.push(...linesOf(connection));
    this.#lines = lines.length;
    this.#pending = [];
    // If it cannot be written: the next attempt is due when as much is new, or after a while.
    this.#rewriteAt = lines.length + connections.size;
    return textOf(lines);
  }
}

const ignore = (): void => undefined;
