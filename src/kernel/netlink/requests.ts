/** The requests of a connection that are in flight: they get their answers by sequence number, in time or never. */
import type { Clock, Timer } from "../../base/clock.ts";
import { ClosedError, NetlinkError, socketError } from "./errors.ts";
import { Exchange, type Read, type Request } from "./exchange.ts";
import type { Transport } from "./socket.ts";
import { HEADER_LENGTH, type NetlinkMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, Output } from "./wire.ts";

export class Requests {
  readonly #transport: Transport;
  readonly #clock: Clock;
  /** Milliseconds. */
  readonly #deadline: number;
  readonly #exchanges = new Map<number, Exchange>();
  /** Of the request that is written at the moment. */
  readonly #output = new Output();
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
  startChange<In>(request: Request<In>): Exchange {
    const sequence = this.#nextSequence();
    const exchange = new Exchange(request, { sequence, sent: false, dump: false, onOver: this.#onOver });
    const unsent = (cause: unknown) => this.#failUnsent(exchange, cause);
    try {
      const bytes = this.#write(request, NLM_F_ACK, sequence);
      this.#exchanges.set(sequence, exchange);
      this.#await();
      this.#transport.send(bytes, () => exchange.sent()).catch(unsent);
    } catch (error) {
      unsent(error);
    }
    return exchange;
  }

  /**
   * Asks at once, from this thread: for a change, or with `read` for something that is not a list. The kernel answers
   * within the send, so the answer is received at once, too: the event loop would take longer than all the rest.
   */
  startNow<In>(request: Request<In>, read?: Read, kind = NLM_F_ACK, onOver = this.#onOver): Exchange {
    const sequence = this.#nextSequence();
    let failure: { readonly cause: unknown } | undefined;
    try {
      this.#transport.sendNow(this.#write(request, kind, sequence));
    } catch (cause) {
      failure = { cause };
    }
    const exchange = new Exchange(request, { sequence, sent: true, dump: kind === NLM_F_DUMP, read, onOver });
    if (failure) this.#failUnsent(exchange, failure.cause);
    else {
      this.#exchanges.set(sequence, exchange);
      this.#transport.receiveNow();
      if (this.#exchanges.has(sequence)) this.#await();
    }
    return exchange;
  }

  /** Asks for a list, when it is its turn: the kernel runs one dump a socket. */
  async startDump<In>(request: Request<In>, read: Read): Promise<Exchange> {
    const turn = this.#dumps;
    let leave: () => void = () => undefined;
    this.#dumps = new Promise((resolve) => {
      leave = resolve;
    });
    await turn;
    const onOver = (exchange: Exchange): void => {
      this.#onOver(exchange);
      leave();
    };
    return this.startNow(request, read, NLM_F_DUMP, onOver);
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

  /** The request as bytes, whose memory the next one uses again. */
  #write<In>({ type, flags = 0, body }: Request<In>, kind: number, sequence: number): Uint8Array {
    if (this.#closed) throw new ClosedError("write a request");
    const output = this.#output;
    output.startMessage();
    body?.encoder.write(output, body.value);
    // In struct genlmsghdr after the command, a byte.
    if (body?.version !== undefined) output.bytes[HEADER_LENGTH + 1] = body.version;
    return output.endMessage(type, flags | kind | NLM_F_REQUEST, sequence, this.#transport.portId);
  }

  /** Something is in flight. */
  #await(): void {
    if (!this.#keepRunning) this.#transport.ref();
    if (this.#look === undefined) this.#lookIn(this.#deadline / 2);
  }

  readonly #onOver = (exchange: Exchange): void => {
    this.#exchanges.delete(exchange.sequence);
    if (!this.#keepRunning && !this.areInFlight && !this.#closed) this.#transport.unref();
  };

  #failUnsent(exchange: Exchange, cause: unknown): void {
    if (this.#closed) exchange.fail(new ClosedError(exchange.what));
    else if (cause instanceof NetlinkError) exchange.fail(cause);
    else exchange.fail(socketError(exchange.what, cause));
    exchange.end();
  }

  /**
   * One timer for all that is in flight. It looks twice in a deadline, so silence is noticed after one to one and a
   * half.
   */
  #lookIn(milliseconds: number): void {
    this.#look = this.#clock.schedule(milliseconds, () => {
      this.#look = undefined;
      // The answer may be in there: nobody is late before it was read.
      if (this.#transport.hasUnread()) return this.#lookIn(READING);
      for (const exchange of this.#exchanges.values()) exchange.look(this.#deadline);
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
