/** The requests of a connection that are in flight: they get their answers by sequence number, in time or never. */
import type { Clock, Timer } from "../../base/clock.ts";
import { ClosedError, socketError } from "./errors.ts";
import { type Body, Exchange } from "./exchange.ts";
import type { Transport } from "./socket.ts";
import { frame, type NetlinkMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./wire.ts";

export type Request = {
  /** Completes "cannot …" in errors: "add endpoint 10.0.0.1". */
  readonly what: string;
  /** RTM_GETLINK…, or the number of a generic netlink family. */
  readonly type: number;
  /** NLM_F_CREATE and the like; REQUEST, ACK and DUMP are added. */
  readonly flags?: number;
  readonly body?: Body;
};

/** Gets each message of the answer while its bytes are valid. */
type Read = (message: NetlinkMessage) => void;

/**
 * Gives a message to the kernel, at once or by another thread; then `onStart` is called when it is the message's turn.
 */
type Send = (bytes: Uint8Array, onStart: () => void) => void | Promise<void>;

export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  /** Milliseconds. */
  readonly #deadline: number;
  readonly #exchanges = new Map<number, Exchange>();
  #sequence = 0;
  #look: Timer | undefined;
  #keepRunning = true;
  #dumps: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(transport: Transport, { clock, deadline }: { clock: Clock; deadline: number }) {
    this.#transport = transport;
    this.#clock = clock;
    this.#deadline = deadline;
  }

  get areInFlight(): boolean {
    return this.#exchanges.size > 0;
  }

  /** Whether the connection keeps the process running while no request is in flight. */
  set keepRunning(keep: boolean) {
    this.#keepRunning = keep;
    if (keep) this.#transport.ref();
    else if (!this.areInFlight) this.#transport.unref();
  }

  /** Asks for a change from another thread, in the order of the calls. */
  startChange(request: Request): Exchange {
    const send: Send = (bytes, onStart) => this.#transport.send(bytes, onStart);
    return this.#start(request, NLM_F_ACK, () => undefined, send);
  }

  /** Asks for a change at once, from this thread. */
  startChangeNow(request: Request): Exchange {
    return this.#start(request, NLM_F_ACK, () => undefined, this.#sendNow);
  }

  /** Asks for something that is not a list. */
  startLookUp(request: Request, read: Read): Exchange {
    return this.#start(request, NLM_F_ACK, read, this.#sendNow);
  }

  /** Asks for a list, when it is its turn: the kernel runs one dump a socket. */
  async startDump(request: Request, read: Read): Promise<Exchange> {
    const turn = this.#dumps;
    let leave: () => void = () => undefined;
    this.#dumps = new Promise((resolve) => {
      leave = resolve;
    });
    await turn;
    return this.#start(request, NLM_F_DUMP, read, this.#sendNow, leave);
  }

  /** Takes a message of an answer. One that no request waits for is late: its request was given up. */
  take(message: NetlinkMessage): void {
    this.#exchanges.get(message.sequence)?.take(message);
  }

  failAll(errorOf: (what: string) => unknown): void {
    for (const exchange of this.#exchanges.values()) exchange.fail(errorOf(exchange.what));
  }

  /** Rejects what is in flight, and what comes later, with ClosedError. */
  close(): void {
    this.#closed = true;
    this.#look?.cancel();
    for (const exchange of this.#exchanges.values()) {
      exchange.fail(new ClosedError(exchange.what));
      exchange.end();
    }
  }

  readonly #sendNow: Send = (bytes) => this.#transport.sendNow(bytes);

  #start(
    { what, type, flags = 0, body = { bytes: new Uint8Array() } }: Request,
    kind: number,
    read: Read,
    send: Send,
    whenOver?: () => void,
  ): Exchange {
    const sequence = this.#nextSequence();
    const onOver = (): void => {
      this.#exchanges.delete(sequence);
      if (!this.areInFlight && !this.#keepRunning && !this.#closed) this.#transport.unref();
      whenOver?.();
    };
    const clock = this.#clock;
    const exchange = new Exchange({ what, body, read, clock, dump: kind === NLM_F_DUMP, onOver });
    if (!this.areInFlight && !this.#keepRunning && !this.#closed) this.#transport.ref();
    this.#exchanges.set(sequence, exchange);
    const header = { type, flags: flags | kind | NLM_F_REQUEST, sequence, portId: this.#transport.portId };
    const unsent = (cause: unknown) => {
      exchange.fail(this.#closed ? new ClosedError(what) : socketError(what, cause));
      exchange.end();
    };
    if (this.#closed) unsent(undefined);
    else
      try {
        const sending = send(frame(header, body.bytes), () => exchange.sent());
        if (sending === undefined) exchange.sent();
        else sending.catch(unsent);
        this.#lookIn(this.#deadline / 2);
      } catch (error) {
        unsent(error);
      }
    return exchange;
  }

  /**
   * One timer for all that is in flight. It looks twice in a deadline, so silence is noticed after one to one and a
   * half.
   */
  #lookIn(milliseconds: number): void {
    this.#look ??= this.#clock.schedule(milliseconds, () => {
      this.#look = undefined;
      // The answer may be in there: nobody is late before it was read.
      if (this.#transport.hasUnread()) return this.#lookIn(READING);
      for (const exchange of this.#exchanges.values()) exchange.expire(this.#deadline);
      if (this.areInFlight) this.#lookIn(this.#deadline / 2);
    });
  }

  /** 0 is for notifications. */
  #nextSequence(): number {
    do this.#sequence = (this.#sequence + 1) >>> 0;
    while (this.#sequence === 0 || this.#exchanges.has(this.#sequence));
    return this.#sequence;
  }
}

/** Milliseconds until a look at what is read meanwhile. */
const READING = 1;
