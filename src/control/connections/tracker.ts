import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import type { MptcpEvent, MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../kernel/netlink/connection.ts";
import type { Sockets } from "../../kernel/sockets.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ConnectionChange } from "./connection.ts";
import { ConnectionTable, type Facts } from "./connection-table.ts";
import { type EventOfConnection, isOfConnection } from "./from-events.ts";
import { type ListedConnection, listedConnections } from "./from-sock-diag.ts";
import { type ReadingResult, ReadingSchedule } from "./reading-schedule.ts";

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

/** Stores the facts about connections that the kernel tells only once; see Checkpoint. */
export type ConnectionMemory = Pick<Checkpoint, "load" | "factsOf" | "begin" | "record" | "flush" | "close">;

/** Milliseconds for which listeners are called before the event loop gets its turn. */
const SLICE = 5;
const MOST_UNCLAIMED = 100_000;

/**
 * Keeps a table of connections true. Events keep it nearly true. The tracker also reads sock_diag at the start, after
 * events were lost, when an event names an unknown connection, and from time to time.
 *
 * Events are collected from the moment of creation and take effect from `takeOver`, so that a tracker can follow on
 * another one without a gap.
 */
export class ConnectionTracker {
  readonly table: ConnectionTable;
  readonly #options: ConnectionTrackerOptions;
  readonly #memory: ConnectionMemory;
  readonly #subscription: Subscription;
  readonly #readings: ReadingSchedule;
  /** Until the take-over: all events. */
  #early: MptcpEvent[] | undefined = [];
  /** Events of connections that are not known, by token; perhaps the next reading shows them. */
  readonly #unclaimed = new Map<number, EventOfConnection[]>();
  #unclaimedCount = 0;
  /** The kernel may have told more facts than are stored. */
  #gap = false;
  /** Events were lost: something may be missing about every connection. */
  #eventsLost = false;
  /** Connections that the last reading did not settle: something is missing that may be there, or it had no say. */
  #unsettled: ReadonlySet<number> = new Set();
  /** Called by the first reading that works, or when there will be none. */
  #takenOver: (() => void) | undefined;
  #closed = false;

  /** Throws NetlinkError: EPERM without CAP_NET_ADMIN. */
  constructor(options: ConnectionTrackerOptions) {
    const { log, onChange, remember, events, clock } = options;
    const warn = (message: string): void => log.warning(message);
    this.#options = options;
    this.#readings = new ReadingSchedule({
      clock,
      read: () => this.#read(),
      onFailure: (error, earlierFailures) => {
        if (earlierFailures === 0) warn(`${messageOf(error)}; trying again`);
      },
    });
    this.table = new ConnectionTable((change) => {
      // What was waiting for this comes first; nothing is written before the event loop turns in any case.
      onChange(change);
      this.#memory.record(change);
      if (change.type === "newConnection" && this.table.size === 1) this.#readings.firstConnection();
    });
    this.#memory = remember(this.table);
    this.#subscription = events.events({
      event: (event) => (this.#early === undefined ? this.#receive(event) : this.#early.push(event)),
      overrun: () => {
        warn("the kernel dropped events of connections; reading all sockets again");
        this.#doubt();
      },
      error: (error) => {
        warn(`event of a connection: ${messageOf(error)}`);
        this.#doubt();
      },
    });
  }

  /**
   * Begins to report changes, first the present connections. Resolves when all of these were reported.
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
      this.#readings.begin();
    });
  }

  /** Reads all sockets now. */
  resync(): void {
    this.#readings.readNow();
  }

  /** Resolves when no reading is under way. */
  async settled(): Promise<void> {
    await this.#readings.settled();
  }

  /** Ends; everything is stored for the next tracker. */
  close(): void {
    this.#closed = true;
    this.#readings.close();
    this.#subscription.close();
    this.#memory.close();
    this.#takenOver?.();
  }

  #receive(event: MptcpEvent): void {
    if (event.event === "listenerCreated" || event.event === "listenerClosed")
      this.#options.onListener(event);
    else if (isOfConnection(event) && !this.table.apply(event)) {
      this.#keep(event);
      this.#readings.readSoon();
    }
  }

  #keep(event: EventOfConnection): void {
    if (this.#unclaimedCount === MOST_UNCLAIMED) return;
    this.#unclaimedCount++;
    const events = this.#unclaimed.get(event.token);
    if (events === undefined) this.#unclaimed.set(event.token, [event]);
    else events.push(event);
  }

  #claim(token: number): readonly EventOfConnection[] {
    const events = this.#unclaimed.get(token) ?? [];
    this.#unclaimed.delete(token);
    this.#unclaimedCount -= events.length;
    return events;
  }

  #doubt(): void {
    this.#eventsLost = true;
    this.#gap = true;
    this.table.doubtAnnouncements();
    this.#readings.readNow();
  }

  async #read(): Promise<ReadingResult | undefined> {
    const changed = this.table.watchChanges();
    const unclaimed = [...this.#unclaimed.keys()];
    const wereEventsLost = this.#eventsLost;
    this.#eventsLost = false;
    try {
      const outlines = await this.#options.sockets.dumpOutlines();
      const isUnsettled = (token: number): boolean => wereEventsLost || this.#unsettled.has(token);
      const unsettled = await this.#compare(listedConnections(outlines), changed, isUnsettled);
      if (this.#closed) return undefined;
      // Events from before the reading that fit no connection it shows are about connections that have ended.
      for (const token of unclaimed) this.#claim(token);
      this.#unsettled = unsettled;
      this.#finishTakeOver();
      // Somebody may have removed what is remembered.
      this.#memory.flush();
      return { connections: this.table.size, isUnsettled: unsettled.size > 0 };
    } catch (error) {
      this.#eventsLost ||= wereEventsLost;
      throw error;
    }
  }

  #finishTakeOver(): void {
    if (this.#takenOver === undefined) return;
    this.#memory.begin();
    this.#takenOver();
    this.#takenOver = undefined;
  }

  /**
   * Makes the table what sock_diag lists, but for connections that have changed since.
   *
   * @param isUnsettled whether a connection is to be looked at again if it has
   * @returns the tokens of these, and of connections of which something was missing that may be there all the same
   */
  async #compare(
    listed: Iterable<ListedConnection>,
    changed: ReadonlySet<number>,
    isUnsettled: (token: number) => boolean,
  ): Promise<ReadonlySet<number>> {
    const tokens = new Set<number>();
    const unsettled = new Set<number>();
    const isPassedOver = (token: number): boolean => {
      if (changed.has(token) && isUnsettled(token)) unsettled.add(token);
      return changed.has(token);
    };
    await this.#inSlices(listed, (connection) => {
      const { token } = connection;
      tokens.add(token);
      if (isPassedOver(token)) return;
      const isNew = this.table.get(token) === undefined;
      if (this.table.reconcile(connection, () => this.#factsOf(connection))) unsettled.add(token);
      if (!isNew) return;
      // At once: those that come from now on are applied as they come.
      for (const event of this.#claim(token)) {
        this.table.apply(event);
        // Those after it were perhaps lost.
        if (isUnsettled(token)) unsettled.add(token);
      }
    });
    await this.#inSlices([...this.table], (connection) => {
      const { token } = connection;
      if (tokens.has(token) || isPassedOver(token)) return;
      if (this.table.miss(connection)) unsettled.add(token);
    });
    return unsettled;
  }

  #factsOf(connection: ListedConnection): Facts | undefined {
    const facts = this.#memory.factsOf(connection);
    return facts && { ...facts, announcedIsComplete: facts.announcedIsComplete && !this.#gap };
  }

  /** Lets the event loop turn now and then, because listeners may take time for each connection. */
  async #inSlices<T>(items: Iterable<T>, take: (item: T) => void): Promise<void> {
    const { clock } = this.#options;
    let start = clock.now();
    for (const item of items) {
      if (this.#closed) return;
      take(item);
      if (clock.now() - start < SLICE) continue;
      await new Promise(setImmediate);
      start = clock.now();
    }
  }
}
