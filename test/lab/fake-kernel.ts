import { acknowledgement, acknowledgementAttributes } from "../../src/kernel/netlink/messages.ts";
import type { OpenTransport, Transport, TransportOptions } from "../../src/kernel/netlink/socket.ts";
import {
  Input,
  type NetlinkMessage,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  Output,
} from "../../src/kernel/netlink/wire.ts";
import { frame, messages } from "./datagram.ts";

/** A message that the fake kernel sends, without what it fills in: sequence number and port. */
export type Reply = { readonly type: number; readonly flags?: number; readonly payload: Uint8Array };

export type FakeKernelOptions = {
  /** Messages of a datagram: dumps come in several. 2 if not given, so that every list of some length is cut. */
  readonly messagesPerDatagram?: number;
};

/**
 * A kernel at the message level, for tests: give `kernel.open` to NetlinkConnection.open() or what is built on it.
 * `answer` gets each request and returns what the kernel would send; nothing, for a kernel that stays silent.
 * Answers come after the send, in order, as the real one's do.
 */
export class FakeKernel {
  /** Every request so far. */
  readonly requests: NetlinkMessage[] = [];
  readonly #answer: (request: NetlinkMessage) => readonly Reply[];
  readonly #messagesPerDatagram: number;
  readonly #sockets = new Set<FakeSocket>();
  #lastPort = 0;
  /** Answers that are in the sockets' queues while nobody can read; undefined: they are read at once. */
  #queued: (() => void)[] | undefined;
  #inBatch = false;

  constructor(
    answer: (request: NetlinkMessage) => readonly Reply[] = () => [],
    options: FakeKernelOptions = {},
  ) {
    this.#answer = answer;
    this.#messagesPerDatagram = options.messagesPerDatagram ?? 2;
  }

  readonly open: OpenTransport = (options) => {
    const socket = new FakeSocket(++this.#lastPort, options, {
      request: (bytes) => this.#request(socket, bytes),
      closed: () => this.#sockets.delete(socket),
      hasUnread: () => (this.#queued?.length ?? 0) > 0,
      isInBatch: () => this.#inBatch,
    });
    this.#sockets.add(socket);
    return socket;
  };

  /** How many sockets are open. */
  get socketCount(): number {
    return this.#sockets.size;
  }

  /** Whether an open socket is a member of the group. */
  hasListener(group: number): boolean {
    return [...this.#sockets].some((socket) => socket.groups.has(group));
  }

  /** Sends a notification to every member of the group; `header` as if that request had caused it. */
  notify(group: number, { type, flags = 0, payload }: Reply, header = { sequence: 0, portId: 0 }): void {
    for (const socket of this.#sockets)
      if (socket.groups.has(group))
        socket.deliver(frame({ type, flags, ...header }, payload), 0, 1 << (group - 1));
  }

  /** What is delivered meanwhile is received as one batch. */
  batch(deliver: () => void): void {
    this.#inBatch = true;
    deliver();
    this.#inBatch = false;
    for (const socket of this.#sockets) socket.endBatch();
  }

  /** The receive queues overflow: every socket is told that something was lost. */
  overrun(): void {
    for (const socket of this.#sockets) socket.options.onOverrun();
  }

  /** From now on the sockets are not read: answers wait in their queues. */
  pause(): void {
    this.#queued ??= [];
  }

  /** The sockets are read again. */
  resume(): void {
    const queued = this.#queued ?? [];
    this.#queued = undefined;
    for (const deliver of queued) deliver();
  }

  /** Delivers any bytes, from any port, to every socket. */
  deliver(datagram: Uint8Array, senderPort = 0): void {
    for (const socket of this.#sockets) socket.deliver(datagram, senderPort, 0);
  }

  #request(socket: FakeSocket, bytes: Uint8Array): void {
    for (const request of messages(bytes.slice())) {
      this.requests.push(request);
      const { sequence } = request;
      const framed = this.#answer(request).map(({ type, flags = 0, payload }) =>
        frame({ type, flags, sequence, portId: socket.portId }, payload),
      );
      for (let at = 0; at < framed.length; at += this.#messagesPerDatagram) {
        const datagram = Buffer.concat(framed.slice(at, at + this.#messagesPerDatagram));
        const deliver = (): void => socket.deliver(datagram, 0, 0);
        if (this.#queued === undefined) setImmediate(deliver);
        else this.#queued.push(deliver);
      }
    }
  }
}

/** Whether a request asks for a list. */
export function isDump(request: NetlinkMessage): boolean {
  return (request.flags & NLM_F_DUMP) === NLM_F_DUMP;
}

/** The ack of success. */
export function ack(request: NetlinkMessage): Reply {
  return { type: NLMSG_ERROR, payload: quote(request, 0) };
}

/** An error, `errno` positive, with what the extended ack is to say. Offsets count from the request's header. */
export function refuse(
  request: NetlinkMessage,
  errno: number,
  extended: { message?: string; offset?: number; missingType?: number; missingNest?: number } = {},
): Reply {
  const output = new Output();
  output.append(quote(request, errno));
  output.align();
  acknowledgementAttributes.write(output, extended);
  return { type: NLMSG_ERROR, flags: NLM_F_ACK_TLVS, payload: output.take() };
}

/** A dump's messages and its DONE. `interrupted`: marked NLM_F_DUMP_INTR. `errno`: in DONE, positive. */
export function multipart(
  parts: readonly Reply[],
  end: { interrupted?: boolean; errno?: number } = {},
): Reply[] {
  const flags = NLM_F_MULTI | (end.interrupted === true ? NLM_F_DUMP_INTR : 0);
  const payload = acknowledgement.encode({ error: -(end.errno ?? 0) }).subarray(0, 4);
  return [
    ...parts.map((part) => ({ ...part, flags: (part.flags ?? 0) | flags })),
    { type: NLMSG_DONE, flags, payload },
  ];
}

/** struct nlmsgerr: the number, and the request as it came. */
function quote({ input, start, end }: NetlinkMessage, errno: number): Uint8Array {
  const number = acknowledgement.encode({ error: -errno }).subarray(0, 4);
  return Buffer.concat([number, input.buffer.subarray(start - 16, end)]);
}

interface KernelSide {
  request(bytes: Uint8Array): void;
  closed(): void;
  hasUnread(): boolean;
  isInBatch(): boolean;
}

class FakeSocket implements Transport {
  readonly portId: number;
  readonly options: TransportOptions;
  readonly groups = new Set<number>();
  readonly #kernel: KernelSide;
  #closed = false;

  constructor(portId: number, options: TransportOptions, kernel: KernelSide) {
    this.portId = portId;
    this.options = options;
    this.#kernel = kernel;
  }

  /** As the real socket does: in memory that is overwritten as soon as the callback returns. */
  deliver(datagram: Uint8Array, senderPort: number, groups: number): void {
    if (this.#closed) return;
    const memory = datagram.slice();
    this.options.onReceive(new Input(memory), senderPort, groups);
    if (!this.#kernel.isInBatch()) this.endBatch();
    memory.fill(0xa5);
  }

  endBatch(): void {
    if (!this.#closed) this.options.onBatchEnd?.();
  }

  async send(message: Uint8Array, onStart?: () => void): Promise<void> {
    onStart?.();
    this.#kernel.request(message);
  }

  sendNow(message: Uint8Array): void {
    this.#kernel.request(message);
  }

  /** Answers come later. */
  receiveNow(): void {}

  hasUnread(): boolean {
    return this.#kernel.hasUnread();
  }

  joinGroup(group: number): void {
    this.groups.add(group);
  }

  leaveGroup(group: number): void {
    this.groups.delete(group);
  }

  ref(): void {}
  unref(): void {}

  close(): void {
    this.#closed = true;
    this.#kernel.closed();
  }
}
