import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createLogger, type Entry } from "../../../../src/base/log/log.ts";
import { Checkpoint } from "../../../../src/control/connections/checkpoint.ts";
import type { ConnectionChange } from "../../../../src/control/connections/connection.ts";
import type { ConnectionRecord } from "../../../../src/control/connections/connection-record.ts";
import {
  ConnectionTracker,
  type ConnectionTrackerOptions,
} from "../../../../src/control/connections/tracker.ts";
import type { MptcpEvent } from "../../../../src/kernel/mptcp-pm.ts";
import type { Subscription } from "../../../../src/kernel/netlink/connection.ts";
import { changeLine, linesOf, TOKEN } from "./builders.ts";
import { CountingClock, FakeSockets } from "./commands-world.ts";

type Handlers = Parameters<ConnectionTrackerOptions["events"]["events"]>[0];

/** Where events come from. */
export class FakeEvents implements Pick<ConnectionTrackerOptions["events"], "events"> {
  readonly #handlers = new Set<Handlers>();

  events(handlers: Handlers): Subscription {
    this.#handlers.add(handlers);
    return { close: () => this.#handlers.delete(handlers) };
  }

  get size(): number {
    return this.#handlers.size;
  }

  emit(...events: readonly MptcpEvent[]): void {
    for (const event of events) for (const handlers of this.#handlers) handlers.event(event);
  }

  overrun(): void {
    for (const handlers of this.#handlers) handlers.overrun();
  }

  error(error: unknown): void {
    for (const handlers of this.#handlers) handlers.error(error);
  }
}

/** Milliseconds between two readings while there are connections, and while there are none. */
export const PERIOD = 5000;
export const IDLE_PERIOD = 30_000;

/** A tracker in a world of fakes; only the checkpoint's file is real. */
export class TrackerWorld {
  readonly events = new FakeEvents();
  readonly sockets = new FakeSockets();
  readonly clock = new CountingClock();
  readonly log: Entry[] = [];
  readonly told: string[] = [];
  readonly listenerEvents: string[] = [];
  /** Called when a change is told. */
  onChange: (change: ConnectionChange) => void = () => undefined;
  readonly file: string;
  readonly #trackers: ConnectionTracker[] = [];
  readonly tracker: ConnectionTracker;

  constructor(test: TestContext) {
    const directory = mkdtempSync(join(tmpdir(), "mptcpd-test-"));
    test.after(() => {
      // They write once more when they are closed.
      for (const tracker of this.#trackers) tracker.close();
      rmSync(directory, { recursive: true });
    });
    this.file = join(directory, "connections");
    this.tracker = this.another(this.told);
  }

  /** A world whose tracker has taken over, with nothing told since. */
  static async running(test: TestContext, ...outlines: FakeSockets["outlines"]): Promise<TrackerWorld> {
    const world = new TrackerWorld(test);
    world.sockets.outlines = outlines;
    await world.tracker.takeOver();
    world.told.length = 0;
    world.sockets.dumps = 0;
    return world;
  }

  /** One that tells its changes to somebody else; closed at the test's end. */
  another(told: string[]): ConnectionTracker {
    const log = createLogger({
      sink: { write: (entry) => this.log.push(entry), close: () => undefined },
      debug: false,
    });
    const { events, sockets, clock, file } = this;
    const warn = (message: string): void => log.warning(message);
    const tracker = new ConnectionTracker({
      ...{ events, sockets, clock, log },
      remember: (connections) => new Checkpoint({ file, bootId: "this boot", connections, warn }),
      onChange: (change) => {
        told.push(changeLine(change));
        this.onChange(change);
      },
      onListener: ({ event, localPort }) => this.listenerEvents.push(`${event} ${localPort}`),
    });
    this.#trackers.push(tracker);
    return tracker;
  }

  /** Lets listings wait until the function is called that it gives. */
  hold(): () => void {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.sockets.onDump = () => gate;
    return () => {
      this.sockets.onDump = () => undefined;
      release();
    };
  }

  async advance(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds);
    await this.tracker.settled();
  }

  /** A reading, now. */
  async read(): Promise<void> {
    this.tracker.resync();
    await this.advance(0);
  }

  connection(token = TOKEN): ConnectionRecord | undefined {
    return this.tracker.table.get(token);
  }

  lines(token = TOKEN): string[] {
    const connection = this.connection(token);
    return connection === undefined ? [] : linesOf(connection);
  }

  get text(): string {
    return readFileSync(this.file, "utf8");
  }

  get warnings(): string[] {
    return this.log.flatMap(({ level, message }) => (level === "warning" ? message : []));
  }
}
