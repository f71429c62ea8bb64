import { getEventListeners } from "node:events";
import type { Timer } from "../../../../src/base/clock.ts";
import { IdBook } from "../../../../src/control/connections/address-ids.ts";
import { Announcements } from "../../../../src/control/connections/announcements.ts";
import type {
  ConnectionRecord,
  SubflowRecord,
} from "../../../../src/control/connections/connection-record.ts";
import { ConnectionTable } from "../../../../src/control/connections/connection-table.ts";
import type { EventOfConnection } from "../../../../src/control/connections/from-events.ts";
import { Listeners, type OpenListener } from "../../../../src/control/connections/listeners.ts";
import { Subflows } from "../../../../src/control/connections/subflows.ts";
import type { ConnectionOutline, SubflowOutline } from "../../../../src/kernel/sockets.ts";
import { FakeClock } from "../endpoints/fakes.ts";
import { changeLine, initialOutline, linesOf, opening, outline, TOKEN } from "./builders.ts";
import { CommandJournal } from "./command-journal.ts";

/** A clock that knows how many timers wait. */
export class CountingClock extends FakeClock {
  readonly #timers = new Set<object>();

  override schedule(milliseconds: number, callback: () => void): Timer {
    const key = {};
    const timer = super.schedule(milliseconds, () => {
      this.#timers.delete(key);
      callback();
    });
    this.#timers.add(key);
    return {
      cancel: () => {
        this.#timers.delete(key);
        timer.cancel();
      },
    };
  }

  get waiting(): number {
    return this.#timers.size;
  }
}

export class FakeSockets {
  outlines: ConnectionOutline[] = [];
  /** Called at each listing, before it is answered; throwing makes it fail. */
  onDump: () => void | Promise<void> = () => undefined;
  dumps = 0;

  async dumpOutlines(): Promise<ConnectionOutline[]> {
    this.dumps++;
    const { outlines } = this;
    await this.onDump();
    return outlines;
  }

  /** Shows the one connection with its initial subflow and these. */
  show(...subflows: readonly SubflowOutline[]): void {
    this.outlines = [outline({ subflows: [initialOutline(), ...subflows] })];
  }
}

/** Made, or what it failed with: a code, or else what was thrown. */
export type Outcome = { readonly code: unknown } | "created";

/** Commands for one connection, put together as a service does it: a table, its events, a kernel and a clock. */
export class CommandsWorld {
  readonly kernel = new CommandJournal();
  readonly sockets = new FakeSockets();
  readonly clock = new CountingClock();
  /** Of announcements. */
  readonly signal = new AbortController();
  /** Of requests for subflows, which have one listener and one timer for all of them, for as long as they are open. */
  readonly asking = new AbortController();
  /** What others are told of. */
  readonly told: string[] = [];
  /** The listening sockets that are open, and what was opened. */
  readonly listening: string[] = [];
  readonly opened: string[] = [];
  readonly table = new ConnectionTable((change) => {
    this.announcements.noticed(change);
    if (!this.subflows.noticed(change)) this.told.push(changeLine(change));
  });
  readonly ids = new IdBook(this.kernel);
  readonly subflows = new Subflows(this);
  readonly listeners = new Listeners((address, port) => this.#listen(address, port));
  readonly announcements = new Announcements(this);
  readonly connection: ConnectionRecord;

  constructor(given: Parameters<typeof opening>[1] = {}) {
    this.connection = this.open(given);
    this.told.length = 0;
  }

  open(given: Parameters<typeof opening>[1] = {}): ConnectionRecord {
    this.emit(opening("created", given), opening("established", given));
    const connection = this.table.get(given.token ?? TOKEN);
    if (connection === undefined) throw new Error("it was just opened");
    return connection;
  }

  emit(...events: readonly EventOfConnection[]): void {
    for (const event of events) {
      this.kernel.happen(event);
      this.table.apply(event);
    }
  }

  /** Asks for a subflow from 10.0.0.2; gives what becomes of that, in time. */
  ask(deadline?: number): Promise<Outcome> {
    const options = { from: { address: "10.0.0.2" }, deadline, signal: this.asking.signal };
    const creating = this.subflows.create(this.connection, options);
    this.kernel.commands();
    return creating.then(
      () => "created",
      (error) => ({ code: error?.code ?? error }),
    );
  }

  /** Withdraws an address, long after whatever the peer was told before. */
  withdraw(
    target: Parameters<Announcements["withdraw"]>[1],
    connection: ConnectionRecord = this.connection,
  ): Promise<void> {
    this.clock.advance(SPACING);
    return this.announcements.withdraw(connection, target);
  }

  subflow(index: number): SubflowRecord {
    const subflow = this.connection.subflows[index];
    if (subflow === undefined) throw new Error(`there is no subflow ${index}`);
    return subflow;
  }

  /** All subflows but the initial one. */
  others(): string[] {
    return linesOf(this.connection).slice(2);
  }

  /** What still waits for something when all deadlines are over. */
  pending(): { readonly timers: number; readonly signals: number } {
    this.clock.advance(DEADLINE);
    const listeners = ({ signal }: AbortController): number => getEventListeners(signal, "abort").length;
    const signals = listeners(this.signal) + Math.max(0, listeners(this.asking) - 1);
    return { timers: this.clock.waiting, signals };
  }

  #listen(address: string, port: number): OpenListener {
    const chosen = port === 0 ? 34_567 : port;
    const shown = `${address}:${chosen}`;
    if (this.listening.includes(shown)) throw new Error(`EADDRINUSE ${shown}`);
    this.listening.push(shown);
    this.opened.push(shown);
    return { port: chosen, close: () => this.listening.splice(this.listening.indexOf(shown), 1) };
  }
}

/** Milliseconds that a subflow has if nothing else is said. */
const DEADLINE = 10_000;
/** Milliseconds that have to pass before an address is withdrawn. */
const SPACING = 200;

/** Nothing waits for anything. */
export const nothingPending = { timers: 0, signals: 0 };
