import type { Clock, Timer } from "../../base/clock.ts";
import { stopwatch } from "../../base/deadlines.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import type { MptcpEvent, MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../kernel/netlink/connection.ts";
import type { Sockets } from "../../kernel/sockets.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ConnectionChange } from "./connection.ts";
import { ConnectionTable, type Facts } from "./connection-table.ts";
import { type ConnectionEvent, isOfConnection } from "./from-events.ts";
import { type ListedConnection, listedConnections } from "./from-sock-diag.ts";

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

/**
 * Milliseconds between two readings of all sockets. The kernel tells nobody when a peer resets a whole connection, nor when
 * a subflow ends after its connection was half closed (net/mptcp/protocol.c, mptcp_check_fastclose, mptcp_close_ssk).
 */
const PERIOD = 5000;
const PERIOD_WITHOUT_CONNECTIONS = 30_000;
/** So many times as long as a reading takes nothing is read. */
const REST = 50;
const REST_UNSETTLED = 5;
/** Milliseconds after which what a reading left open is looked at again, and a failed one is repeated: longer each time. */
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
  /** Events of connections that are not known, by token; perhaps the next reading shows them. */
  readonly #unclaimed = new Map<number, ConnectionEvent[]>();
  #unclaimedCount = 0;
  /** More may have been told than is remembered. */
  #gap = false;
  /** Events were lost: of every connection something may be missing. */
  #lost = false;
  /** Connections that the last reading did not settle: something is missing that may be there, or it had no say. */
  #unsettled: ReadonlySet<number> = new Set();
  /** When to read next. */
  #due = Number.POSITIVE_INFINITY;
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  /** Readings that failed since one worked. */
  #failures = 0;
  /** Called by the first reading that works, or when there will be none. */
  #takenOver: (() => void) | undefined;
  #closed = false;

  /** Throws NetlinkError: EPERM without CAP_NET_ADMIN. */
  constructor(options: ConnectionTrackerOptions) {
    const { log, onChange, remember, events } = options;
    const warn = (message: string): void => log.warning(message);
    this.#options = options;
    this.table = new ConnectionTable((change) => {
      // What was waiting for this comes first; nothing is written before the event loop turns in any case.
      onChange(change);
      this.#memory.record(change);
      if (change.type === "newConnection" && this.table.size === 1) this.#readIn(PERIOD);
    });
    this.#memory = remember(this.table);
    this.#subscription = events.events({
      event: (event) => (this.#early === undefined ? this.#receive(event) : this.#early.push(event)),
      overrun: () => {
        warn("the kernel dropped events of connections; reading its sockets");
        this.#lose();
      },
      error: (error) => {
        warn(`event of a connection: ${messageOf(error)}`);
        this.#lose();
      },
    });
  }

  /**
   * Begins to tell changes, first of all the connections that there are. Resolves when all of these were told.
   *
   * @param withoutGap whether the tracker that left what is remembered was at work when this one was made
   */
  async takeOver(withoutGap = false): Promise<void> {
    if (this.#closed) return;
    this.#gap ||= !withoutGap;
    this.#memory.load();
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#receive(event);
    await new Promise<void>((resolve) => {
      this.#takenOver = resolve;
      this.#begin();
    });
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
    this.#takenOver?.();
  }

  #receive(event: MptcpEvent): void {
    if (event.event === "listenerCreated" || event.event === "listenerClosed")
      this.#options.onListener(event);
    else if (isOfConnection(event) && !this.table.apply(event)) {
      this.#keep(event);
      this.#readIn(RETRY);
    }
  }

  #keep(event: ConnectionEvent): void {
    if (this.#unclaimedCount === MOST_UNCLAIMED) return;
    this.#unclaimedCount++;
    const events = this.#unclaimed.get(event.token);
    if (events === undefined) this.#unclaimed.set(event.token, [event]);
    else events.push(event);
  }

  #claim(token: number): readonly ConnectionEvent[] {
    const events = this.#unclaimed.get(token) ?? [];
    this.#unclaimed.delete(token);
    this.#unclaimedCount -= events.length;
    return events;
  }

  #lose(): void {
    this.#lost = true;
    this.#gap = true;
    this.table.doubtAnnouncements();
    this.#readIn(0);
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
    this.#timer?.cancel();
    this.#due = Number.POSITIVE_INFINITY;
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
      this.#arm();
    });
  }

  async #read(): Promise<void> {
    const { clock, sockets, log } = this.#options;
    // A pause of the machine is no reason to read more seldom.
    const tookSoFar = stopwatch(clock);
    const changed = this.table.watchChanges();
    const unclaimed = [...this.#unclaimed.keys()];
    const lost = this.#lost;
    this.#lost = false;
    try {
      const found = listedConnections(await sockets.dumpOutlines());
      const isUnsettled = (token: number): boolean => lost || this.#unsettled.has(token);
      const unsettled = await this.#compare(found, changed, isUnsettled);
      if (this.#closed) return;
      // Those that came before the reading, and are of none that it shows, are of none that there is.
      for (const token of unclaimed) this.#claim(token);
      this.#failures = 0;
      this.#unsettled = unsettled;
      this.#finishTakeOver();
      // Somebody may have removed what is remembered.
      this.#memory.flush();
      const took = tookSoFar();
      const period = this.table.size > 0 ? PERIOD : PERIOD_WITHOUT_CONNECTIONS;
      const soon = Math.min(Math.max(RETRY, REST_UNSETTLED * took), PERIOD);
      this.#readIn(unsettled.size === 0 ? Math.max(period, REST * took) : soon);
    } catch (error) {
      if (this.#closed) return;
      if (this.#failures === 0) log.warning(`${messageOf(error)}; trying again`);
      this.#lost ||= lost;
      this.#readIn(Math.min(RETRY * 2 ** this.#failures++, PERIOD_WITHOUT_CONNECTIONS));
    } finally {
      tookSoFar();
    }
  }

  #finishTakeOver(): void {
    if (this.#takenOver === undefined) return;
    this.#memory.begin();
    this.#takenOver();
    this.#takenOver = undefined;
  }

  /**
   * Makes the table what was found, but for connections that have changed since.
   *
   * @param isUnsettled whether a connection is to be looked at again if it has
   * @returns the tokens of these, and of connections of which something was missing that may be there all the same
   */
  async #compare(
    found: readonly ListedConnection[],
    changed: ReadonlySet<number>,
    isUnsettled: (token: number) => boolean,
  ): Promise<ReadonlySet<number>> {
    const tokens = new Set(found.map(({ token }) => token));
    const unsettled = new Set<number>();
    const isPassedOver = (token: number): boolean => {
      if (changed.has(token) && isUnsettled(token)) unsettled.add(token);
      return changed.has(token);
    };
    for await (const connection of this.#inSlices(found)) {
      const { token } = connection;
      if (isPassedOver(token)) continue;
      const isNew = this.table.get(token) === undefined;
      if (this.table.reconcile(connection, () => this.#factsOf(connection))) unsettled.add(token);
      if (!isNew) continue;
      // At once: those that come from now on are applied as they come.
      for (const event of this.#claim(token)) {
        this.table.apply(event);
        // Those after it were perhaps lost.
        if (isUnsettled(token)) unsettled.add(token);
      }
    }
    for await (const connection of this.#inSlices([...this.table])) {
      const { token } = connection;
      if (tokens.has(token) || isPassedOver(token)) continue;
      if (this.table.miss(connection)) unsettled.add(token);
    }
    return unsettled;
  }

  #factsOf(connection: ListedConnection): Facts | undefined {
    const facts = this.#memory.factsOf(connection);
    return facts && { ...facts, announcedIsComplete: facts.announcedIsComplete && !this.#gap };
  }

  /** Lets the event loop turn now and then: what is told of each may take its time. */
  async *#inSlices<T>(items: readonly T[]): AsyncGenerator<T> {
    const { clock } = this.#options;
    let start = clock.now();
    for (const item of items) {
      if (this.#closed) return;
      yield item;
      if (clock.now() - start < SLICE) continue;
      await new Promise(setImmediate);
      start = clock.now();
    }
  }
}
