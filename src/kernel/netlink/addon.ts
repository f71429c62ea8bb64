/**
 * The native addon with types. Others give faces to what it does: netlink/socket.ts to netlink sockets,
 * native-sockets.ts to MPTCP and datagram sockets, file-lock.ts, network-namespace.ts and threads.ts to system calls,
 * bpf/option-answers.ts to socket options, bpf/syscalls.ts to bpf(2).
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { getSystemErrorMap } from "node:util";

/**
 * A system call failed. `code` is the error's name ("ENOENT"), `errno` its number, negative as in Node's own errors.
 */
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

/** A native socket, opaque here. */
export type Handle = { readonly netlinkSocket: unique symbol };

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
  /** How many datagrams that waited are in `memory` now. */
  netlinkReceive(handle: Handle): number;
  /** 1 or 0. */
  netlinkHasUnread(handle: Handle): number;
  netlinkKeepAlive(handle: Handle, keep: boolean): void;
  netlinkClose(handle: Handle): void;
  sendDatagram(path: string, data: Uint8Array): number;
  /** 1: all was written; 0: a part of it, or nothing because the file has no name any more, or another. */
  appendText(fd: number, text: string): number;
  lockFile(fd: number): number;
  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): number;
  networkNamespaceCookie(): bigint | number;
  enterNetworkNamespace(fd: number): number;
  execute(file: string, argv: readonly Uint8Array[]): number;
  exitNow(status: number): never;
  streamListen(protocol: number, address: string, port: number, backlog: number): number;
  streamConnect(
    protocol: number,
    address: string,
    port: number,
    localAddress: string,
    device: Uint8Array,
    timeoutMs: number,
    onResult: (fdOrErrno: number) => void,
  ): number;
  localPort(fd: number): number;
  optionSocket(family: number, protocol: number): number;
  setOption(fd: number, level: number, option: number, value: Uint8Array): number;
  /** The length of the value. */
  getOption(fd: number, level: number, option: number, room: Uint8Array): number;
  bpf(
    command: number,
    attributes: Uint8Array,
    offsets: readonly number[],
    buffers: readonly Uint8Array[],
  ): number;
};

/**
 * `table` describes the datagrams in `memory`: length, sender's port and mask of groups for each slot. After these it
 * has 1 while datagrams are being read: all who load the addon in this thread share the memory.
 */
export type Addon = AddonExports & { readonly table: Uint32Array };

let loaded: Addon | undefined;

/** Loaded at first use, so that what needs no kernel can be imported without it. */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const { MPTCPD_ADDON: chosen } = process.env;
  const path = chosen || findAddon();
  if (path === undefined || (chosen && !existsSync(path)))
    throw new Error(`the native addon is missing${path === undefined ? "" : ` (${path})`}: ${remedy()}`);
  // A native module comes without types: this line vouches for AddonExports.
  const exports: AddonExports = require(path);
  const { memory, slots, slotSize } = exports;
  return { ...exports, table: new Uint32Array(memory, slots * slotSize, 3 * slots + 1) };
}

const require = createRequire(import.meta.url);

/** npm installs it as a package of its own, by the kind of machine. */
const npmPackage = `mptcpd-linux-${process.arch}`;

/**
 * Beside this file (bundled programs), in the dist/ of a directory above it (checkout, tests), or in npm's package;
 * undefined if it is nowhere.
 */
function findAddon(): string | undefined {
  const candidates = [join(import.meta.dirname, "addon.node")];
  for (
    let directory = import.meta.dirname;
    directory !== dirname(directory);
    directory = dirname(directory)
  ) {
    candidates.push(join(directory, "dist/addon.node"));
  }
  return candidates.find((path) => existsSync(path)) ?? resolved(`${npmPackage}/addon.node`);
}

function resolved(specifier: string): string | undefined {
  try {
    return require.resolve(specifier);
  } catch {
    return undefined;
  }
}

function remedy(): string {
  return import.meta.dirname.includes("/node_modules/")
    ? `install the package ${npmPackage}, which npm leaves out with --omit=optional`
    : "run `npm run build`";
}

/** The result of a job on another thread; of one that could not start, the error. */
export function settled(start: (settle: (result: number) => void) => number): Promise<number> {
  return new Promise((resolve) => {
    const error = start(resolve);
    if (error < 0) resolve(error);
  });
}

/** The result of a system call, or a SystemError that says what was tried. */
export function check(what: string, result: number): number {
  if (result < 0) throw new SystemError(what, result);
  return result;
}
