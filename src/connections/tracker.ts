import type { Clock, Timer } from "../endpoints/clock.ts";
import type { MptcpEvent, MptcpPm } from "../kernel/mptcp-pm.ts";
import type { Sockets } from "../kernel/sockets.ts";
import type { Logger } from "../log/log.ts";
import { messageOf } from "../log/text.ts";
import type { Subscription } from "../netlink/connection.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ConnectionChange } from "./connection.ts";
import { type FoundConnection, foundConnections } from "./found.ts";
import { ConnectionTable } from "./table.ts";
import { type ConnectionEvent, isOfConnection } from "./told.ts";

export type ListenerEvent = Extract<MptcpEvent, { readonly event: "listenerCreated" | "listenerClosed" }>;

export interface ConnectionTrackerOptions {
  readonly events: Pick<MptcpPm, "events">;
  readonly sockets: Pick<Sockets, "dumpOutlines">;
  /** Makes what keeps, over a restart, what sock_diag cannot tell. */
  readonly remember: (connections: ConnectionTable) => ConnectionMemory;
  readonly log: Logger;
  readonly clock: Clock;
  readonly onChange: (change: ConnectionChange) => void;
  readonly onListener: (event: ListenerEvent) => void;
}

/** What is told of connections only once; see Checkpoint. */
export type ConnectionMemory = Pick<Checkpoint, "load" | "factsOf" | "begin" | "record" | "flush">;

/** Milliseconds between two readings of all sockets: some subflows end without an event (msk no more established). */
const PERIOD = 30_000;
/** And a reading that takes long comes less often. */
const LEAST_REST = 50;
const RETRY = 100;
/** Milliseconds for which changes are told before the event loop gets its turn. */
const SLICE = 5;
const MOST_UNCLAIMED = 100_000;

/**
 * Keeps a table of connections true: events keep it nearly true, and sock_diag is read at the start, after events were
 * lost, when one names a connection that is not known, and from time to time.
 *
 * Events are collected from the moment of creation and take effect from `takeOver`, so that a tracker can follow on
 * another one without a gap.
 */
export class ConnectionTracker {
  readonly table: ConnectionTable;
  readonly #options: ConnectionTrackerOptions;
  readonly #memory: ConnectionMemory;
  readonly #subscription: Subscription;
  /** Until the take-over: all events. */
  #early: MptcpEvent[] | undefined = [];
  /** Events of connections that are not known; perhaps the next reading shows them. */
  #unclaimed: ConnectionEvent[] = [];
  /** When to read next. */
  #due = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  #closed = false;

  /** Throws NetlinkError: EPERM without CAP_NET_ADMIN. */
  constructor(options: ConnectionTrackerOptions) {
    const { log, onChange, remember, events } = options;
    const warn = (message: string): void => log.warning(message);
    this.#options = options;
    this.table = new ConnectionTable((change) => {
      this.#memory.record(change);
      onChange(change);
    });
    this.#memory = remember(this.table);
    this.#subscription = events.events({
      event: (event) => (this.#early === undefined ? this.#receive(event) : this.#early.push(event)),
      overrun: () => {
        warn("the kernel dropped events of connections; reading its sockets");
        this.table.doubtAnnouncements();
        this.#readIn(0);
      },
      error: (error) => {
        warn(`event of a connection: ${messageOf(error)}`);
        this.table.doubtAnnouncements();
        this.#readIn(0);
      },
    });
  }

  /** Begins to tell changes, first of all the connections that there are. Resolves when all of these were told. */
  async takeOver(): Promise<void> {
    this.#memory.load();
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#receive(event);
    this.#begin();
    await this.settled();
    this.#memory.begin();
  }

  /** Reads all sockets now. */
  resync(): void {
    this.#readIn(0);
  }

  /** Resolves when no reading is under way. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#reading;
  }

  /** Ends, with everything remembered for who comes next. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#subscription.close();
    this.#memory.flush();
  }

  #receive(event: MptcpEvent): void {
    if (event.event === "listenerCreated" || event.event === "listenerClosed")
      this.#options.onListener(event);
    else if (isOfConnection(event) && !this.table.apply(event)) {
      if (this.#unclaimed.length < MOST_UNCLAIMED) this.#unclaimed.push(event);
      this.#readIn(RETRY);
    }
  }

  /** Reads in so many milliseconds, or earlier if that is due already; what is wanted during a reading, after it. */
  #readIn(milliseconds: number): void {
    const due = this.#options.clock.now() + milliseconds;
    if (due >= this.#due) return;
    this.#due = due;
    if (this.#reading === undefined) this.#arm();
  }

  #arm(): void {
    if (this.#closed || this.#early !== undefined) return;
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.schedule(Math.max(this.#due - clock.now(), 0), () => this.#begin());
  }

  #begin(): void {
    this.#due = Number.POSITIVE_INFINITY;
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
      this.#arm();
    });
  }

  async #read(): Promise<void> {
    const { clock, sockets, log } = this.#options;
    const start = clock.now();
    const changed = this.table.watchChanges();
    try {
      const found = foundConnections(await sockets.dumpOutlines());
      const complete = await this.#compare(found, changed);
      this.#readIn(complete ? Math.max(PERIOD, LEAST_REST * (clock.now() - start)) : RETRY);
    } catch (error) {
      if (this.#closed) return;
      log.warning(`${messageOf(error)}; trying again`);
      this.#readIn(RETRY);
    }
  }

  /**
   * Makes the table what was found, but for connections that have changed since.
   *
   * @returns false if something was missing, which may be there all the same
   */
  async #compare(found: readonly FoundConnection[], changed: ReadonlySet<number>): Promise<boolean> {
    const tokens = new Set(found.map(({ token }) => token));
    let complete = true;
    for await (const connection of this.#inSlices(found)) {
      if (changed.has(connection.token)) continue;
      if (this.table.reconcile(connection, () => this.#memory.factsOf(connection))) complete = false;
    }
    for await (const connection of this.#inSlices([...this.table])) {
      if (tokens.has(connection.token) || changed.has(connection.token)) continue;
      if (this.table.miss(connection)) complete = false;
    }
    const unclaimed = this.#unclaimed;
    this.#unclaimed = [];
    for (const event of unclaimed) this.table.apply(event);
    return complete;
  }

  /** Lets the event loop turn now and then: what is told of each may take its time. */
  async *#inSlices<T>(items: readonly T[]): AsyncGenerator<T> {
    let start = performance.now();
    for (const item of items) {
      if (this.#closed) return;
      yield item;
      if (performance.now() - start < SLICE) continue;
      await new Promise(setImmediate);
      start = performance.now();
    }
  }
}
