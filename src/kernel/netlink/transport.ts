/**
 * A netlink socket as this layer needs it: NetlinkSocket of socket.ts is the real one, FakeKernel of testing.ts
 * another.
 */
export interface Transport {
  /** nl_pid: the kernel addresses replies to it. */
  readonly portId: number;
  /**
   * For requests that change something: the kernel may hold the sender for long, so it runs off the event loop. `onStart` is
   * called when it is the message's turn.
   */
  send(message: Uint8Array, onStart?: () => void): Promise<void>;
  /** For requests that the kernel answers at once. Throws when the kernel does not take it. */
  sendNow(message: Uint8Array): void;
  /** Whether something has arrived that was not received yet. */
  hasUnread(): boolean;
  joinGroup(group: number): void;
  leaveGroup(group: number): void;
  ref(): void;
  unref(): void;
  close(): void;
}

export type TransportOptions = {
  readonly protocol: number;
  /** A classic BPF program, in force before anything is received. */
  readonly filter?: Uint8Array;
  /** Bytes. */
  readonly receiveBuffer?: number;
  /**
   * One datagram, valid only during the call. `senderPort` 0 is the kernel. `groups` is the multicast group's bit, 0 for
   * what was sent to this socket alone (and for groups above 32, which have no bit).
   */
  onReceive(data: Uint8Array, senderPort: number, groups: number): void;
  onOverrun(): void;
  onError(error: Error): void;
};

export type OpenTransport = (options: TransportOptions) => Transport;
