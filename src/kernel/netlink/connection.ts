import type { Clock } from "../../base/clock.ts";
import { runningClock } from "../../base/deadlines.ts";
import { OverrunError, socketError } from "./errors.ts";
import type { Request } from "./exchange.ts";
import { Requests } from "./requests.ts";
import { NetlinkSocket, type OpenTransport, type Transport } from "./socket.ts";
import { align4, type Input, messageAt, type NetlinkMessage, NLMSG_NOOP, NLMSG_OVERRUN } from "./wire.ts";

export { type Body, body, type Request } from "./exchange.ts";

export type ConnectionOptions = {
  /** NETLINK_ROUTE 0, NETLINK_SOCK_DIAG 4, NETLINK_GENERIC 16… */
  readonly protocol: number;
  /** A classic BPF program over everything that this connection receives, replies included. */
  readonly filter?: Uint8Array;
  /** Bytes; as much as the kernel allows if it is too much. */
  readonly receiveBuffer?: number;
  /** Milliseconds until a request without an answer fails with ETIMEDOUT. */
  readonly deadline?: number;
  /** The kernel to talk to: the real one if not given. */
  readonly open?: OpenTransport;
  /** What deadlines go by: if not given, time in which the event loop ran. */
  readonly clock?: Clock;
};

export type Dump<T> = {
  readonly items: T[];
  /** What was dumped changed while the kernel listed it, in every attempt: something may be missing or twice. */
  readonly interrupted: boolean;
};

export interface Subscription {
  close(): void;
}

/**
 * A connection to one netlink protocol of the kernel. Several requests may be in flight; answers find theirs by
 * sequence number and port id; what other processes send is dropped. Requests reject with KernelError (the kernel
 * refused), OverrunError, TimeoutError, ClosedError, or NetlinkProtocolError (the answer made no sense); `code` tells
 * them apart.
 */
export class NetlinkConnection {
  readonly #transport: Transport;
  readonly #requests: Requests;
  /** A new array at each change, because a handler may subscribe and unsubscribe. */
  #handlers: readonly Subscribed[] = [];
  /** How many subscriptions each joined group has. */
  readonly #members = new Map<number, number>();
  readonly #overrunListeners = new Set<() => void>();
  readonly #batchListeners = new Set<() => void>();
  readonly #errorListeners = new Set<(error: unknown) => void>();
  #closed = false;

  /** Throws what opening throws: EPROTONOSUPPORT where the kernel lacks the protocol. */
  static open(options: ConnectionOptions): NetlinkConnection {
    return new NetlinkConnection(options);
  }

  private constructor({
    open = NetlinkSocket.open,
    deadline = 5_000,
    clock = runningClock,
    ...options
  }: ConnectionOptions) {
    this.#transport = open({
      ...options,
      onReceive: (input, senderPort, groups) => this.#receive(input, senderPort, groups),
      onBatchEnd: () => this.#endBatch(),
      onOverrun: () => this.#overrun(),
      onError: (error) => this.#fail(error),
    });
    this.#requests = new Requests(this.#transport, { clock, deadline });
  }

  /** Asks for a change; resolves when the kernel has made it. Sent off the event loop, in the order of the calls. */
  request<In>(request: Request<In>): Promise<void> {
    return this.#requests.startChange(request).outcome;
  }

  /**
   * As `request`, sent at once from this thread: for changes that the kernel makes quickly and somebody waits for.
   * Another thread costs two wake-ups, which take longer than they do.
   */
  requestNow<In>(request: Request<In>): Promise<void> {
    return this.#requests.startNow(request).outcome;
  }

  /** Asks for something; resolves to what `read` makes of the answer's messages, undefined left out. */
  async get<In, T>(request: Request<In>, read: (message: NetlinkMessage) => T | undefined): Promise<T[]> {
    const items: T[] = [];
    await this.#requests.startNow(request, collect(read, items)).outcome;
    return items;
  }

  /**
   * Asks for a list. `read` is called for each message while its bytes are valid; undefined leaves it out. A list that
   * changed meanwhile (NLM_F_DUMP_INTR) is asked for again, at most 3 times. The kernel runs one dump a socket and
   * refuses others with EBUSY (net/netlink/af_netlink.c, __netlink_dump_start), so dumps wait for each other here.
   */
  async dump<In, T>(
    request: Request<In>,
    read: (message: NetlinkMessage) => T | undefined,
  ): Promise<Dump<T>> {
    for (let attempt = 0; ; attempt++) {
      const items: T[] = [];
      const exchange = await this.#requests.startDump(request, collect(read, items));
      await exchange.outcome;
      if (!exchange.interrupted || attempt === 3) return { items, interrupted: exchange.interrupted };
    }
  }

  /**
   * Joins multicast groups. Netlink does not say for sure by which group a message came, so `handler` gets every
   * notification of this connection, once, and goes by its type. The message's bytes are valid only during the call.
   * Throws NetlinkError: EPERM where a group is for administrators.
   */
  subscribe(groups: number | readonly number[], handler: (message: NetlinkMessage) => void): Subscription {
    const joined = typeof groups === "number" ? [groups] : groups;
    for (const [index, group] of joined.entries()) {
      try {
        this.#join(group);
      } catch (cause) {
        this.#leave(joined.slice(0, index));
        throw socketError(`join multicast group ${group}`, cause);
      }
    }
    const own: Subscribed = { handler };
    this.#handlers = [...this.#handlers, own];
    return {
      close: () => {
        if (own.handler === undefined) return;
        own.handler = undefined;
        this.#handlers = this.#handlers.filter((other) => other !== own);
        this.#leave(joined);
      },
    };
  }

  /**
   * Everything that the kernel had for this connection at once was handled: what many notifications changed can
   * be acted on once.
   */
  onBatchEnd(listener: () => void): Subscription {
    return add(this.#batchListeners, listener);
  }

  /** The kernel dropped notifications (ENOBUFS): what was learnt from them is no longer true, dump again. */
  onOverrun(listener: () => void): Subscription {
    return add(this.#overrunListeners, listener);
  }

  /**
   * Errors that belong to no request: notifications that cannot be decoded, the socket's own. Uncaught without a
   * listener.
   */
  onError(listener: (error: unknown) => void): Subscription {
    return add(this.#errorListeners, listener);
  }

  /** Keeps the process running while open (the default). */
  ref(): void {
    this.#requests.keepRunning = true;
  }

  /** From now on only requests in flight keep the process running. */
  unref(): void {
    this.#requests.keepRunning = false;
  }

  /** Rejects what is in flight with ClosedError. Closing twice does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.close();
    this.#requests.close();
  }

  /**
   * A notification may carry the sequence number and port of the request that caused it (rtnl_notify), also to that
   * very socket; the group tells it from a reply. A reply to nobody is late: its request was given up.
   */
  #receive(input: Input, senderPort: number, groups: number): void {
    if (senderPort !== 0) return;
    try {
      for (let offset = 0; offset < input.length && !this.#closed; ) {
        const message = messageAt(input, offset);
        offset = align4(message.end);
        if (message.type === NLMSG_OVERRUN) this.#overrun();
        else if (groups !== 0 || message.sequence === 0) this.#notify(message);
        else if (message.portId === this.#transport.portId) this.#requests.take(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #notify(message: NetlinkMessage): void {
    if (message.type <= NLMSG_NOOP) return;
    for (const subscribed of this.#handlers) {
      try {
        subscribed.handler?.(message);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #endBatch(): void {
    for (const listener of this.#batchListeners) {
      try {
        listener();
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #join(group: number): void {
    const members = this.#members.get(group) ?? 0;
    if (members === 0) this.#transport.joinGroup(group);
    this.#members.set(group, members + 1);
  }

  #leave(groups: readonly number[]): void {
    for (const group of groups) {
      const members = (this.#members.get(group) ?? 0) - 1;
      this.#members.set(group, members);
      if (members === 0 && !this.#closed) this.#transport.leaveGroup(group);
    }
  }

  #overrun(): void {
    this.#requests.failAll((what) => new OverrunError(what));
    for (const listener of this.#overrunListeners) listener();
  }

  /** Something is wrong with the connection as a whole. What is in flight rejects, and so says it to somebody. */
  #fail(error: unknown): void {
    const said = this.#requests.areInFlight;
    this.#requests.failAll(() => error);
    if (!said || this.#errorListeners.size > 0) this.#report(error);
  }

  #report(error: unknown): void {
    for (const listener of this.#errorListeners) listener(error);
    if (this.#errorListeners.size > 0) return;
    process.nextTick(() => {
      throw error;
    });
  }
}

/** Without a handler: closed. */
type Subscribed = { handler: ((message: NetlinkMessage) => void) | undefined };

function collect<T>(read: (message: NetlinkMessage) => T | undefined, items: T[]) {
  return (message: NetlinkMessage) => {
    const item = read(message);
    if (item !== undefined) items.push(item);
  };
}

function add<T>(set: Set<T>, member: T): Subscription {
  set.add(member);
  return { close: () => set.delete(member) };
}
