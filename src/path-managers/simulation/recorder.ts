import { isDeepStrictEqual } from "node:util";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Network } from "../../control/network/network.ts";
import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../kernel/netlink/connection.ts";
import type { Sockets } from "../../kernel/sockets.ts";
import { headerLine, itemLine, type RecordedItem, type RecordingHeader } from "./recording.ts";

export interface RecorderOptions {
  readonly header: RecordingHeader;
  readonly events: Pick<MptcpPm, "events">;
  readonly sockets: Pick<Sockets, "dumpOutlines">;
  readonly network: () => Network;
  readonly clock: Clock;
  /** Returns when the text is written, or a promise of that. */
  readonly write: (text: string) => Promise<void> | undefined;
  readonly warn: (message: string) => void;
  /** Told when it cannot write any more. */
  readonly onFailure: (error: unknown) => void;
}

/** UTF-16 units that are written at once, and that may wait where writing takes time; what is more counts as lost. */
const LARGEST_BATCH = 64 * 1024;
const MOST_WAITING = 4 * 1024 * 1024;
/** Items that happen while the sockets are read; what is more counts as lost. */
const MOST_HELD = 50_000;
/** Milliseconds. */
const RETRY = 100;
/** Milliseconds for which what was told before the end is read; more comes all the time then. */
const MOST_FINISHING = 2000;

/**
 * Writes down what a path manager would hear: the network, the connections that there are, and events from the moment
 * of creation. What has happened is written when the event loop has turned, so a recorder that is killed leaves no more
 * than a half line behind.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #start: number;
  readonly #subscription: Subscription;
  #batch = "";
  #isScheduled = false;
  #isWriting = false;
  /** There was no room for something. */
  #isFull = false;
  /** While sockets are read: what happens meanwhile comes after them in the file. */
  #held: RecordedItem[] | undefined = [];
  #isLosing = false;
  /** How many events came. */
  #told = 0;
  #network: Network;
  #retry: Timer | undefined;
  #isClosed = false;

  /** Begins to listen. Throws NetlinkError: EPERM without CAP_NET_ADMIN. */
  constructor(options: RecorderOptions) {
    const { events, clock, header, network, warn } = options;
    this.#options = options;
    this.#start = clock.now();
    this.#subscription = events.events({
      event: (event) => {
        this.#told++;
        this.#record({ at: this.#now, event });
      },
      overrun: () => {
        warn("events were lost: they came faster than they could be recorded");
        this.#lose({ overrun: true });
      },
      error: (error) => {
        warn(messageOf(error));
        this.#lose({ fault: messageOf(error) });
      },
    });
    this.#network = network();
    this.#append(headerLine(header));
    this.#append(itemLine({ at: 0, network: this.#network }));
  }

  /** Records the connections that there are; resolves when they are written. */
  async start(): Promise<void> {
    await this.#readSockets(0);
  }

  /** To be called when the network may have changed. */
  networkChanged(): void {
    const network = this.#options.network();
    if (isSame(network, this.#network)) return;
    this.#network = network;
    this.#record({ at: this.#now, network });
  }

  /** Ends the recording when what the kernel has told until now is read. */
  async finish(): Promise<void> {
    const deadline = this.#now + MOST_FINISHING;
    let told: number;
    do {
      told = this.#told;
      // Of two turns of the event loop one at least asks the kernel.
      for (let turns = 0; turns < 2; turns++) await new Promise(setImmediate);
    } while (this.#told !== told && this.#now < deadline);
    this.close();
  }

  /** Ends the recording, with everything written. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#subscription.close();
    this.#release();
    this.#batch += itemLine({ at: this.#now, end: true });
    this.#write();
  }

  get #now(): number {
    return this.#options.clock.now() - this.#start;
  }

  #record(item: RecordedItem): void {
    if (this.#held === undefined) this.#append(itemLine(item));
    else if (this.#held.length < MOST_HELD) this.#held.push(item);
    else this.#isLosing = true;
  }

  /** Events are missing: what has become of the connections only their sockets tell. */
  #lose(why: { readonly overrun: true } | { readonly fault: string }): void {
    const at = this.#now;
    this.#record({ at, ...why });
    if (this.#held !== undefined) {
      this.#isLosing = true;
      return;
    }
    this.#held = [];
    void this.#readSockets(at);
  }

  async #readSockets(at: number): Promise<void> {
    try {
      const connections = await this.#options.sockets.dumpOutlines();
      if (this.#isClosed) return;
      this.#append(itemLine({ at, connections }));
      this.#release();
    } catch (error) {
      if (this.#isClosed) return;
      this.#options.warn(`${messageOf(error)}; trying again`);
      this.#retry = this.#options.clock.schedule(RETRY, () => void this.#readSockets(at));
    }
  }

  #release(): void {
    for (const item of this.#held ?? []) this.#append(itemLine(item));
    this.#held = undefined;
    const wasLosing = this.#isLosing;
    this.#isLosing = false;
    if (wasLosing && !this.#isClosed) this.#lose({ overrun: true });
  }

  #append(text: string): void {
    if (this.#isWriting && this.#batch.length > MOST_WAITING) this.#isFull = true;
    else this.#batch += text;
    if (this.#batch.length > LARGEST_BATCH) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (!this.#isWriting && this.#batch !== "") this.#write();
  }

  #write(): void {
    const batch = this.#batch;
    this.#batch = "";
    try {
      const written = this.#options.write(batch);
      if (written === undefined) return;
      this.#isWriting = true;
      written.then(
        () => this.#goOn(),
        (error) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What was waiting can be written, and what there was no room for is made up for. */
  #goOn(): void {
    this.#isWriting = false;
    this.#flush();
    if (!this.#isFull || this.#isClosed || this.#isWriting) return;
    this.#isFull = false;
    this.#options.warn("events were lost: they came faster than they could be written");
    this.#record({ at: this.#now, network: this.#network });
    this.#lose({ overrun: true });
  }

  #fail(error: unknown): void {
    this.#isClosed = true;
    this.#subscription.close();
    this.#options.onFailure(error);
  }
}

/** As path managers see them: the lifetimes of addresses run all the time. */
function isSame(one: Network, other: Network): boolean {
  return one === other || isDeepStrictEqual(seen(one), seen(other));
}

function seen({ addresses, ...rest }: Network): object {
  return { ...rest, addresses: addresses.map(({ validLifetime, preferredLifetime, ...address }) => address) };
}
