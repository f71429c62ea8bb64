import { type Clock, every, systemClock, type Timer } from "../../base/clock.ts";
import { RunningClock } from "../../base/deadlines.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import { decodeAddressEvent } from "../../kernel/addresses.ts";
import { decodeLinkEvent } from "../../kernel/links.ts";
import type { NetlinkConnection } from "../../kernel/netlink/connection.ts";
import { persist } from "../../kernel/netlink/persist.ts";
import type { OpenTransport } from "../../kernel/netlink/socket.ts";
import type { NetlinkMessage } from "../../kernel/netlink/wire.ts";
import { groups, openRtnetlink, routeFilter } from "../../kernel/rtnetlink.ts";
import { type Network, type NetworkEvent, NetworkModel } from "./network.ts";
import { readNetwork, readRouting } from "./read.ts";

export interface NetworkMonitorOptions {
  readonly log: Logger;
  /** Called once for each batch of notifications that changed something. */
  readonly onChange: () => void;
  /** The kernel; another one in tests. */
  readonly open?: OpenTransport;
  readonly clock?: Clock;
  /** Ends the attempts to read the network for the first time. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Longest prefix of routes whose notifications matter. Short routes may lead into a tunnel that carries everything but
 * some private ranges. Longer routes are many (a host may hold a million) and change nothing here.
 */
const LONGEST_NOTIFIED_PREFIX = 8;
/** Milliseconds. */
const RETRY = 100;
/** Milliseconds between two readings, because notifications alone may miss a change. */
const RESYNC_PERIOD = 30_000;

/**
 * Keeps a model of the network true. Notifications keep it nearly true. The monitor reads the kernel again if
 * notifications were lost (ENOBUFS) or make no sense, or if a change (of routes) has no notification.
 */
export class NetworkMonitor {
  readonly #options: NetworkMonitorOptions;
  readonly #model = new NetworkModel();
  readonly #events: NetlinkConnection;
  readonly #requests: NetlinkConnection;
  /** The part that a reading still has to read; and the events that came during the reading. */
  #pending: "nothing" | "routing" | "everything" = "nothing";
  #missed: NetworkEvent[] | undefined;
  #reading: Promise<void> | undefined;
  readonly #clock: Clock;
  readonly #period: Timer;
  /** Notifications of the batch that is being handled changed something. */
  #changed = false;
  #closed = false;

  /**
   * Begins to listen and reads the network once, however long the kernel takes to answer. Rejects with an error that
   * would not go away by trying again, or with the reason of the signal.
   */
  static async start(options: NetworkMonitorOptions): Promise<NetworkMonitor> {
    const monitor = new NetworkMonitor(options);
    const { log, signal } = options;
    const patience = { log, signal, clock: monitor.#clock };
    const first = persist(() => monitor.#readEverything(), patience);
    // Readings never overlap: a request during a reading is served after it.
    monitor.#reading = first.then(
      () => monitor.#read(),
      () => undefined,
    );
    try {
      await first;
    } catch (error) {
      monitor.close();
      throw error;
    }
    return monitor;
  }

  private constructor(options: NetworkMonitorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const kernel = {
      ...(options.open && { open: options.open }),
      clock: new RunningClock(this.#clock),
    };
    this.#events = openRtnetlink({ ...kernel, filter: routeFilter(LONGEST_NOTIFIED_PREFIX) });
    this.#requests = openRtnetlink(kernel);
    this.#events.onOverrun(() => {
      options.log.warning("the kernel dropped notifications of network changes; reading the network again");
      this.resync();
    });
    this.#events.onError((error) => {
      options.log.warning(`network notification: ${messageOf(error)}`);
      this.resync();
    });
    this.#events.onBatchEnd(() => {
      if (this.#changed) this.#announce();
    });
    this.#events.subscribe(Object.values(groups), this.#receive);
    this.#period = every(this.#clock, RESYNC_PERIOD, () => this.resync());
  }

  get network(): Network {
    return this.#model.network;
  }

  /** Reads the whole network again. */
  resync(): void {
    this.#want("everything");
  }

  /** Reads again how traffic leaves the host. */
  resyncRouting(): void {
    this.#want("routing");
  }

  /** Resolves when no reading is under way. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#reading;
  }

  close(): void {
    this.#closed = true;
    this.#period.cancel();
    this.#events.close();
    this.#requests.close();
  }

  readonly #receive = (message: NetlinkMessage): void => {
    const event = decodeAddressEvent(message) ?? decodeLinkEvent(message);
    if (!event) {
      // A short route or a policy rule has changed: ask the kernel how traffic leaves now.
      this.#want("routing");
      return;
    }
    this.#missed?.push(event);
    const { routing, missed } = this.#model.apply(event);
    // During the first reading, nothing may be known yet.
    if (missed && !this.#missed) this.#want("everything");
    else if (routing) this.#want("routing");
    this.#changed = true;
  };

  #announce(): void {
    this.#changed = false;
    if (!this.#closed) this.#options.onChange();
  }

  #want(what: "routing" | "everything"): void {
    if (this.#closed) return;
    if (this.#pending !== "everything") this.#pending = what;
    this.#reading ??= this.#read();
  }

  async #read(): Promise<void> {
    while (this.#pending !== "nothing" && !this.#closed) {
      const what = this.#pending;
      this.#pending = "nothing";
      try {
        if (what === "everything") await this.#readEverything();
        // Call listeners only if something changed: a listener may request another read, and would loop.
        else if (!this.#model.replaceRouting(await readRouting(this.#requests))) continue;
        this.#announce();
      } catch (error) {
        if (this.#closed) break;
        this.#options.log.warning(`${messageOf(error)}; trying again`);
        await this.#quiet();
        this.#want(what);
      }
    }
    this.#reading = undefined;
  }

  async #readEverything(): Promise<void> {
    const missed: NetworkEvent[] = [];
    this.#missed = missed;
    try {
      const { network, interrupted } = await readNetwork(this.#requests);
      this.#model.replace(network);
      // In their order, so that the last event of each object decides.
      for (const event of missed) {
        const consequences = this.#model.apply(event);
        if (consequences.missed) this.#want("everything");
        else if (consequences.routing) this.#want("routing");
      }
      if (interrupted) void this.#readOnceQuiet();
    } finally {
      this.#missed = undefined;
    }
  }

  /** Under churn every listing of the kernel is interrupted: list once more when the churn is over. */
  async #readOnceQuiet(): Promise<void> {
    for (let before: Network | undefined; before !== this.network && !this.#closed; ) {
      before = this.network;
      await this.#quiet();
    }
    this.resync();
  }

  #quiet(): Promise<void> {
    return new Promise((resolve) => this.#clock.schedule(RETRY, resolve));
  }
}
