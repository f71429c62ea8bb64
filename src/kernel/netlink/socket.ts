/** The border to the kernel: sockets that take and give the bytes of datagrams, and know nothing of their contents. */
import { type Addon, addon, check, type Handle, SystemError, settled } from "./addon.ts";
import { Input } from "./wire.ts";

/**
 * A netlink socket as connections need it. NetlinkSocket is the real one; FakeKernel is that of the tests
 * (test/lab/fake-kernel.ts).
 */
export interface Transport {
  /** nl_pid: the kernel addresses replies to it. */
  readonly portId: number;
  /**
   * For requests that change something: the kernel may hold the sender for long, so it runs off the event loop.
   * `onStart` is called when it is the message's turn. The message's memory is used again after the call.
   */
  send(message: Uint8Array, onStart?: () => void): Promise<void>;
  /** For requests that the kernel answers at once; memory as above. Throws when the kernel does not take it. */
  sendNow(message: Uint8Array): void;
  /** Receives what has arrived, instead of waiting for the event loop to do it. */
  receiveNow(): void;
  /** Whether something has arrived that was not received yet. */
  hasUnread(): boolean;
  joinGroup(group: number): void;
  leaveGroup(group: number): void;
  ref(): void;
  unref(): void;
  close(): void;
}

export type TransportOptions = {
  /** NETLINK_ROUTE (0), NETLINK_SOCK_DIAG (4), NETLINK_GENERIC (16)… */
  readonly protocol: number;
  /** A classic BPF program (struct sock_filter[]), attached before any group is joined. */
  readonly filter?: Uint8Array;
  /** Bytes; beyond net.core.rmem_max with CAP_NET_ADMIN only, else as much as is allowed. 8 MiB if not given. */
  readonly receiveBuffer?: number;
  /**
   * One datagram: input[0, input.length). Its memory is overwritten by the next datagrams: it is valid until the
   * callback returns. `senderPort` is 0 if the kernel sent it. `groups` is a mask of the multicast group, 0
   * for what was sent to this socket alone and for groups above 32, which have no bit. An error thrown here goes to
   * "uncaughtException"; later datagrams still arrive.
   */
  onReceive(input: Input, senderPort: number, groups: number): void;
  /** Every datagram of those that were there at once was given to onReceive. */
  onBatchEnd?(): void;
  /** The kernel dropped messages because the receive buffer was full. The socket lives on; dump again. */
  onOverrun(): void;
  /**
   * Another error of receiving; the socket lives on. EMSGSIZE: a message was larger than a slot of the receive
   * memory (256 KiB) and was dropped; nothing that the kernel sends today is.
   */
  onError(error: Error): void;
};

export type OpenTransport = (options: TransportOptions) => Transport;

export type NetlinkSocketOptions = TransportOptions & {
  /** Multicast groups to join, by number (not as a mask). */
  readonly groups?: readonly number[];
};

/**
 * A bound, non-blocking netlink socket with extended acks and strict checks. While it is open it is a root, as
 * Node's own sockets are: it receives and keeps the process running (see `unref`) though nobody holds it.
 */
export class NetlinkSocket implements Transport {
  /** The port (nl_pid) of this socket: replies to it carry this number. */
  readonly portId: number;
  readonly #addon: Addon;
  readonly #handle: Handle;
  readonly #options: NetlinkSocketOptions;
  #closed = false;
  #lastSend: Promise<void> | undefined;

  /** Throws a SystemError: EPROTONOSUPPORT where the kernel lacks the protocol, EPERM for groups it reserves. */
  static open(options: NetlinkSocketOptions): NetlinkSocket {
    return new NetlinkSocket(options);
  }

  private constructor(options: NetlinkSocketOptions) {
    this.#addon = addon();
    this.#options = options;
    const handle = this.#addon.netlinkOpen(options.protocol, (outcome) => this.#receive(outcome));
    if (typeof handle === "number")
      throw new SystemError(`open netlink socket (protocol ${options.protocol})`, handle);
    this.#handle = handle;
    this.portId = this.#addon.netlinkPort(handle);
    try {
      this.#setUp(options);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  joinGroup(group: number): void {
    this.setOption(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  leaveGroup(group: number): void {
    this.setOption(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  /** setsockopt(2) with an int. */
  setOption(level: number, name: number, value: number): void {
    check(
      `set netlink socket option ${level}/${name}`,
      this.#addon.netlinkSetOption(this.#handle, level, name, value),
    );
  }

  /** `instructions` is an array of struct sock_filter; datagrams for which the program returns 0 are dropped. */
  attachFilter(instructions: Uint8Array): void {
    check("attach filter to netlink socket", this.#addon.netlinkAttachFilter(this.#handle, instructions));
  }

  /**
   * Sends to the kernel from a thread of this thread's own: the kernel works off a request within sendto(2), and may
   * hold the sender for many milliseconds. Messages of one socket go out in the order of the calls. The message
   * is copied at once. `onStart` is called when it is the message's turn. Rejects with a SystemError: EBADF if the
   * socket was closed before the message's turn.
   */
  send(message: Uint8Array, onStart: () => void = () => undefined): Promise<void> {
    const previous = this.#lastSend;
    const copy = previous ? new Uint8Array(message) : message; // Buffer.slice would not copy
    const start = async () => {
      onStart();
      const result = await settled((settle) => this.#addon.netlinkSend(this.#handle, copy, settle));
      check("send to the kernel", result);
    };
    const sent = previous ? previous.then(start) : start();
    const ended = sent
      .catch(() => undefined)
      .then(() => {
        if (this.#lastSend === ended) this.#lastSend = undefined;
      });
    this.#lastSend = ended;
    return sent;
  }

  /** Sends from this thread, for what the kernel answers at once: dumps and look-ups. Not ordered after `send`. */
  sendNow(message: Uint8Array): void {
    check("send to the kernel", this.#addon.netlinkSendNow(this.#handle, message));
  }

  /** Does nothing while a batch is being read, whose memory it would overwrite. */
  receiveNow(): void {
    const { slots, table } = this.#addon;
    if (table[3 * slots] === 1) return;
    const outcome = this.#addon.netlinkReceive(this.#handle);
    if (outcome !== 0) this.#receive(outcome);
  }

  /** Whether something has arrived that was not received yet: a datagram, or the news of an overrun. */
  hasUnread(): boolean {
    return this.#addon.netlinkHasUnread(this.#handle) === 1;
  }

  /** An open socket keeps the process running, unless `unref` was called. */
  ref(): void {
    this.#addon.netlinkKeepAlive(this.#handle, true);
  }

  unref(): void {
    this.#addon.netlinkKeepAlive(this.#handle, false);
  }

  /**
   * No callback is called from now on. A send under way still ends, and the descriptor is closed after it; sends
   * that wait for their turn are rejected. Closing twice does nothing.
   */
  close(): void {
    this.#closed = true;
    this.#addon.netlinkClose(this.#handle);
  }

  #setUp(options: NetlinkSocketOptions): void {
    const bytes = options.receiveBuffer ?? defaultReceiveBuffer;
    if (!this.#tryOption(SOL_SOCKET, SO_RCVBUFFORCE, bytes)) this.setOption(SOL_SOCKET, SO_RCVBUF, bytes);
    // Linux 4.12 and 4.20; without them errors have no text, and dumps are not filtered.
    this.#tryOption(SOL_NETLINK, NETLINK_EXT_ACK, 1);
    this.#tryOption(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    if (options.filter) this.attachFilter(options.filter);
    for (const group of options.groups ?? []) this.joinGroup(group);
  }

  #tryOption(level: number, name: number, value: number): boolean {
    return this.#addon.netlinkSetOption(this.#handle, level, name, value) === 0;
  }

  /** A batch of datagrams lies in the receive memory, or a negative errno tells what went wrong. */
  #receive(outcome: number): void {
    const options = this.#options;
    if (outcome < 0) {
      if (outcome === ENOBUFS) options.onOverrun();
      else options.onError(new SystemError("receive from the kernel", outcome));
      return;
    }
    const { slots, slotSize, table } = this.#addon;
    table[3 * slots] = 1;
    for (let slot = 0; slot < outcome && !this.#closed; slot++) {
      const row = 3 * slot;
      const length = table[row] ?? 0;
      try {
        if (length > slotSize)
          options.onError(new SystemError(`receive a message of ${length} bytes`, EMSGSIZE));
        else {
          const input = inputs[slot] ?? this.#inputOf(slot);
          input.length = length;
          options.onReceive(input, table[row + 1] ?? 0, table[row + 2] ?? 0);
        }
      } catch (error) {
        throwLater(error);
      }
    }
    table[3 * slots] = 0;
    if (!this.#closed) options.onBatchEnd?.();
  }

  #inputOf(slot: number): Input {
    const { memory, slotSize } = this.#addon;
    const input = new Input(new Uint8Array(memory, slot * slotSize, slotSize));
    inputs[slot] = input;
    return input;
  }
}

/** The slots of the receive memory, which all sockets of this thread share, as far as they were used. */
const inputs: Input[] = [];

function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

// linux/socket.h, linux/netlink.h, linux/in.h. Numbers as on x86, arm and riscv; mips, parisc and sparc differ.
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const EMSGSIZE = -90;
const ENOBUFS = -105;
const defaultReceiveBuffer = 8 * 1024 * 1024;
