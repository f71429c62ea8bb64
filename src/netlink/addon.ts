/**
 * The native addon with types: netlink sockets on the event loop, and the few system calls that Node has no API
 * for. Everything here is a thin layer over native/addon; what messages mean is for the callers to know.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { getSystemErrorMap } from "node:util";

/** A system call failed. `code` is the error's name ("ENOENT"), `errno` its number, negative as in Node's own errors. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  /** `errno` is negative; `syscall` says what was tried: "bind", "connect to 10.0.0.1 port 80". */
  constructor(syscall: string, errno: number) {
    const [code, message] = getSystemErrorMap().get(errno) ?? [`E${-errno}`, `error ${-errno}`];
    super(`${syscall}: ${message} (${code})`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

export type NetlinkSocketOptions = {
  /** NETLINK_ROUTE (0), NETLINK_SOCK_DIAG (4), NETLINK_GENERIC (16)… */
  readonly protocol: number;
  /** Multicast groups to join, by number (not as a mask). */
  readonly groups?: readonly number[];
  /** Bytes; beyond net.core.rmem_max with CAP_NET_ADMIN only, else as much as is allowed. 8 MiB if not given. */
  readonly receiveBuffer?: number;
  /** A classic BPF program (struct sock_filter[]), attached before any group is joined. */
  readonly filter?: Uint8Array;
  /**
   * One datagram. `data` is a view of memory that the next datagrams overwrite: it is valid until the callback
   * returns. `senderPort` is 0 if the kernel sent it. `groups` is a mask of the multicast group, 0 for unicast
   * and for groups above 32. An error thrown here goes to "uncaughtException"; later datagrams still arrive.
   */
  readonly onReceive: (data: Uint8Array, senderPort: number, groups: number) => void;
  /** The kernel dropped messages because the receive buffer was full. The socket lives on; dump again. */
  readonly onOverrun: () => void;
  /**
   * Another error of receiving; the socket lives on. EMSGSIZE: a message was larger than a slot of the receive
   * memory (256 KiB) and was dropped; nothing that the kernel sends today is.
   */
  readonly onError: (error: SystemError) => void;
};

/**
 * A bound, non-blocking netlink socket with extended acks and strict checks. While it is open it is a root, as
 * Node's own sockets are: it receives and keeps the process running (see `unref`) though nobody holds it.
 */
export class NetlinkSocket {
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
   * Sends to the kernel from a thread of libuv's pool: the kernel works off a request within sendto(2), and may
   * hold the sender for many milliseconds. Messages of one socket go out in the order of the calls. The message
   * is copied at once. Rejects with a SystemError: EBADF if the socket was closed before the message's turn.
   */
  send(message: Uint8Array): Promise<void> {
    const previous = this.#lastSend;
    const copy = previous ? new Uint8Array(message) : message; // Buffer.slice would not copy
    const start = async () => {
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
    if (outcome === ENOBUFS) this.#options.onOverrun();
    else if (outcome < 0) this.#options.onError(new SystemError("receive from the kernel", outcome));
    for (let slot = 0; slot < outcome && !this.#closed; slot++) {
      try {
        this.#receiveOne(slot);
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  #receiveOne(slot: number): void {
    const { memory, slotSize, table } = this.#addon;
    const row = 3 * slot;
    const length = table[row] ?? 0;
    if (length > slotSize)
      this.#options.onError(new SystemError(`receive a message of ${length} bytes`, EMSGSIZE));
    else {
      const data = new Uint8Array(memory, slot * slotSize, length);
      this.#options.onReceive(data, table[row + 1] ?? 0, table[row + 2] ?? 0);
    }
  }
}

/**
 * Sends one datagram to a UNIX socket, never waiting; `path` is a file, or "@name" for an abstract address.
 * Throws a SystemError: ENOENT, ECONNREFUSED (nobody listens), EAGAIN (the receiver's queue is full), EMSGSIZE.
 */
export function sendDatagram(path: string, data: Uint8Array): void {
  check(`send to ${path}`, addon().sendDatagram(path, data));
}

/** Locks an open file until it is closed (flock(2), exclusive); false if another open file holds the lock. */
export function lockFile(fd: number): boolean {
  const result = addon().lockFile(fd);
  if (result === EWOULDBLOCK) return false;
  check("lock file", result);
  return true;
}

/** The number by which the kernel knows this network namespace, until it is gone; undefined before Linux 5.14. */
export function networkNamespaceCookie(): bigint | undefined {
  const cookie = addon().networkNamespaceCookie();
  if (typeof cookie === "bigint") return cookie;
  if (cookie === ENOPROTOOPT) return undefined;
  throw new SystemError("get network namespace cookie", cookie);
}

/**
 * Becomes another program in another network namespace; this program ends. setns(2) moves the calling thread only
 * and Node has many, hence the new program. `argv` includes argv[0]; the environment stays. Throws an error of
 * node:fs if the namespace's file cannot be opened, and a SystemError if it cannot be entered or `file` not run.
 */
export function enterNetworkNamespaceAndExec(
  namespaceFile: string,
  file: string,
  argv: readonly string[],
): never {
  const fd = openSync(namespaceFile, "r");
  try {
    check(`enter network namespace ${namespaceFile}`, addon().enterNetworkNamespace(fd));
  } finally {
    closeSync(fd);
  }
  throw new SystemError(`run ${file}`, addon().execute(file, argv));
}

export type StreamProtocol = "mptcp" | "tcp";

export type ListenOptions = {
  /** "0.0.0.0", "::" (which takes IPv4 too), "fe80::1%eth0"… */
  readonly address: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly backlog?: number;
  readonly protocol?: StreamProtocol;
};

/** Opens a listening MPTCP socket, for `server.listen({ fd })` of node:net, which then owns the descriptor. */
export function mptcpListen(options: ListenOptions): { fd: number; port: number } {
  const { address, port, backlog = 128, protocol = "mptcp" } = options;
  const what = `listen on ${address} port ${port} (${protocol})`;
  const fd = check(what, addon().streamListen(protocolNumbers[protocol], address, port, backlog));
  return { fd, port: check(what, addon().localPort(fd)) };
}

export type ConnectOptions = {
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** An interface that all packets leave by (SO_BINDTODEVICE). */
  readonly device?: string;
  readonly protocol?: StreamProtocol;
  /** Milliseconds until it fails with ETIMEDOUT; 10,000 if not given. */
  readonly timeoutMs?: number;
};

/** Connects an MPTCP socket, for `new net.Socket({ fd })`, which then owns the descriptor. Takes a pool thread. */
export async function mptcpConnect(options: ConnectOptions): Promise<number> {
  const { address, port, localAddress = "", device = "", protocol = "mptcp", timeoutMs = 10_000 } = options;
  const number = protocolNumbers[protocol];
  const result = await settled((settle) =>
    addon().streamConnect(number, address, port, localAddress, device, timeoutMs, settle),
  );
  return check(`connect to ${address} port ${port} (${protocol})`, result);
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
const EWOULDBLOCK = -11;
const EMSGSIZE = -90;
const ENOPROTOOPT = -92;
const ENOBUFS = -105;
const protocolNumbers = { mptcp: 262, tcp: 6 } as const;
const defaultReceiveBuffer = 8 * 1024 * 1024;

/** A native socket, opaque here. */
type Handle = { readonly netlinkSocket: unique symbol };

/** What native/addon exports. A negative number is -errno throughout. */
type AddonExports = {
  readonly memory: ArrayBuffer;
  readonly slots: number;
  readonly slotSize: number;
  netlinkOpen(protocol: number, onBatch: (countOrErrno: number) => void): Handle | number;
  netlinkPort(handle: Handle): number;
  netlinkSetOption(handle: Handle, level: number, name: number, value: number): number;
  netlinkAttachFilter(handle: Handle, instructions: Uint8Array): number;
  netlinkSend(handle: Handle, message: Uint8Array, onResult: (result: number) => void): number;
  netlinkSendNow(handle: Handle, message: Uint8Array): number;
  netlinkKeepAlive(handle: Handle, keep: boolean): void;
  netlinkClose(handle: Handle): void;
  sendDatagram(path: string, data: Uint8Array): number;
  lockFile(fd: number): number;
  networkNamespaceCookie(): bigint | number;
  enterNetworkNamespace(fd: number): number;
  execute(file: string, argv: readonly string[]): number;
  streamListen(protocol: number, address: string, port: number, backlog: number): number;
  streamConnect(
    protocol: number,
    address: string,
    port: number,
    localAddress: string,
    device: string,
    timeoutMs: number,
    onResult: (fdOrErrno: number) => void,
  ): number;
  localPort(fd: number): number;
};

/** `table` describes the datagrams in `memory`: length, sender's port and mask of groups for each slot. */
type Addon = AddonExports & { readonly table: Uint32Array };

let loaded: Addon | undefined;

/** Loaded at first use, so that what needs no kernel can be imported without it. */
function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const path = findAddon();
  if (!existsSync(path)) throw new Error(`the native addon ${path} is missing: run \`npm run build\``);
  // A native module comes without types: this line vouches for AddonExports.
  const exports: AddonExports = createRequire(import.meta.url)(path);
  const { memory, slots, slotSize } = exports;
  return { ...exports, table: new Uint32Array(memory, slots * slotSize, 3 * slots) };
}

/** Beside this file (bundled programs), else in the dist/ of a directory above it (checkout, tests). */
function findAddon(): string {
  const { MPTCPD_ADDON: chosen } = process.env;
  if (chosen) return chosen;
  const here = join(import.meta.dirname, "addon.node");
  const candidates = [here];
  for (
    let directory = import.meta.dirname;
    directory !== dirname(directory);
    directory = dirname(directory)
  ) {
    candidates.push(join(directory, "dist/addon.node"));
  }
  return candidates.find((path) => existsSync(path)) ?? here;
}

/** The result of a job on the pool; of one that could not start, the error. */
function settled(start: (settle: (result: number) => void) => number): Promise<number> {
  return new Promise((resolve) => {
    const error = start(resolve);
    if (error < 0) resolve(error);
  });
}

function check(what: string, result: number): number {
  if (result < 0) throw new SystemError(what, result);
  return result;
}
