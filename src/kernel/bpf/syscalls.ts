/**
 * bpf(2): the commands that we need, and what it means when one fails. `union bpf_attr` of include/uapi/linux/bpf.h is
 * written here and nowhere else.
 */
import { closeSync } from "node:fs";
import { addon, check, SystemError } from "../netlink/addon.ts";

/** The BPF way is closed on this machine, or for this process. The message is one line. */
export class BpfError extends Error {
  override readonly name = "BpfError";
  /**
   * "BTF" (none, or not readable), "KERNEL" (too old, or built without), "EPERM" (refused), "BPFFS" (not mounted),
   * "CGROUP" (no cgroup v2, or one that cannot be attached to), "MPTCP" (switched off), or the system's own.
   */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Of a system call that failed, what it means and what to look for; other errors as they are. */
export function explained(error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  const { code, message } = error;
  if (code === "EPERM" || code === "EACCES")
    return new BpfError(
      code,
      `this machine refuses BPF programs that are attached to the kernel: ${message}; look for kernel lockdown (/sys/kernel/security/lockdown), a container's seccomp profile, missing CAP_BPF and CAP_PERFMON`,
      error,
    );
  return new BpfError(code, `this kernel does not take the BPF program: ${message}`, error);
}

/** Keys of eight bytes; the values mean nothing. */
export type IdSet = { readonly fd: number };

/** A new map of ids (BPF_MAP_TYPE_HASH). */
export function createIdSet(name: string, maxEntries: number): IdSet {
  return { fd: createMap(name, { keySize: idSize, valueSize, maxEntries }) };
}

/** A new map of bytes by bytes, all of the same sizes (BPF_MAP_TYPE_HASH). Gives its file descriptor. */
export function createMap(
  name: string,
  { keySize, valueSize, maxEntries }: { keySize: number; valueSize: number; maxEntries: number },
): number {
  const attributes = newMapAttributes(name, BPF_MAP_TYPE_HASH, { keySize, valueSize });
  attributes.writeUInt32LE(maxEntries, 12);
  attributes.writeUInt32LE(BPF_F_NO_PREALLOC, 16);
  return check("create BPF map", addon().bpf(BPF_MAP_CREATE, attributes, [], []));
}

/**
 * A new map of so many numbers of 32 bits for each socket, which end with it, and which a connection gets from its
 * listener (BPF_MAP_TYPE_SK_STORAGE). Gives its file descriptor.
 *
 * @param types that describe a number and as many of them: `numbersTypes` of btf.ts
 */
export function createSocketStorage(
  name: string,
  types: {
    readonly data: Uint8Array;
    readonly number: number;
    readonly numbers: number;
    readonly count: number;
  },
): number {
  const description = Buffer.alloc(32);
  description.writeUInt32LE(types.data.length, 16);
  const btf = check("load BTF", addon().bpf(BPF_BTF_LOAD, description, [0], [types.data]));
  try {
    const attributes = newMapAttributes(name, BPF_MAP_TYPE_SK_STORAGE, {
      keySize: 4,
      valueSize: 4 * types.count,
    });
    attributes.writeUInt32LE(BPF_F_NO_PREALLOC | BPF_F_CLONE, 16);
    attributes.writeUInt32LE(btf, 48);
    attributes.writeUInt32LE(types.number, 52);
    attributes.writeUInt32LE(types.numbers, 56);
    return check("create BPF map", addon().bpf(BPF_MAP_CREATE, attributes, [], []));
  } finally {
    closeSync(btf);
  }
}

/** Puts a value into a map of createMap. */
export function putValue(map: number, key: Uint8Array, value: Uint8Array): void {
  const attributes = mapAttributes({ fd: map });
  check("add to BPF map", addon().bpf(BPF_MAP_UPDATE_ELEM, attributes, [8, 16], [key, value]));
}

export function addId(ids: IdSet, id: bigint): void {
  putValue(ids.fd, encodeId(id), Buffer.alloc(valueSize));
}

/** Throws a SystemError with ENOENT if it is not in there. */
export function deleteId(ids: IdSet, id: bigint): void {
  check("delete from BPF map", addon().bpf(BPF_MAP_DELETE_ELEM, mapAttributes(ids), [8], [encodeId(id)]));
}

/** In no order. Nobody else may change them meanwhile. */
export function listIds(ids: IdSet): bigint[] {
  const found: bigint[] = [];
  for (;;) {
    const next = Buffer.alloc(idSize);
    const last = found.at(-1);
    const [offsets, buffers] =
      last === undefined
        ? [[16], [next]]
        : [
            [8, 16],
            [encodeId(last), next],
          ];
    const result = addon().bpf(BPF_MAP_GET_NEXT_KEY, mapAttributes(ids), offsets, buffers);
    if (result === -ENOENT) return found;
    check("list BPF map", result);
    found.push(next.readBigUInt64LE());
  }
}

/**
 * Loads a program that may replace the result of a function of the kernel (BPF_MODIFY_RETURN).
 *
 * @param functionId of the function in the kernel's BTF
 * @returns a file descriptor, as attachProgram does
 */
export function loadProgram(name: string, instructions: Uint8Array, functionId: number): number {
  const attributes = programAttributes(name, instructions, BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN);
  attributes.writeUInt32LE(functionId, 108);
  return load(attributes, instructions);
}

/** What a program of a cgroup stands before (setsockopt) or after (getsockopt). */
export type OptionCall = "setsockopt" | "getsockopt";

/** Loads a program that a cgroup's calls of setsockopt(2) or getsockopt(2) go through. Gives its file descriptor. */
export function loadOptionProgram(name: string, instructions: Uint8Array, call: OptionCall): number {
  const type = attachTypes[call];
  return load(programAttributes(name, instructions, BPF_PROG_TYPE_CGROUP_SOCKOPT, type), instructions);
}

/**
 * From now on the program runs for the sockets that tasks of the cgroup make, beside the programs of others, until the
 * link is closed and its pin is gone, or the cgroup.
 *
 * @param cgroup file descriptor of its directory
 */
export function attachToCgroup(program: number, cgroup: number, call: OptionCall): number {
  const attributes = Buffer.alloc(16);
  attributes.writeUInt32LE(program, 0);
  attributes.writeUInt32LE(cgroup, 4);
  attributes.writeUInt32LE(attachTypes[call], 8);
  return check("attach BPF program", addon().bpf(BPF_LINK_CREATE, attributes, [], []));
}

/** From now on the program runs, until the link is closed and its pin is gone. */
export function attachProgram(program: number): number {
  const attributes = Buffer.alloc(16);
  attributes.writeUInt32LE(program, 0);
  attributes.writeUInt32LE(BPF_MODIFY_RETURN, 8);
  return check("attach BPF program", addon().bpf(BPF_LINK_CREATE, attributes, [], []));
}

/** Keeps a map or a link when its last file descriptor is closed. `path` is on a bpffs. */
export function pin(fd: number, path: string): void {
  const attributes = Buffer.alloc(16);
  attributes.writeUInt32LE(fd, 8);
  check(`pin ${path}`, addon().bpf(BPF_OBJ_PIN, attributes, [0], [cString(path)]));
}

/** The file descriptor of what was pinned. */
export function openPinned(path: string): number {
  return check(`open ${path}`, addon().bpf(BPF_OBJ_GET, Buffer.alloc(16), [0], [cString(path)]));
}

const BPF_MAP_CREATE = 0;
const BPF_MAP_UPDATE_ELEM = 2;
const BPF_MAP_DELETE_ELEM = 3;
const BPF_MAP_GET_NEXT_KEY = 4;
const BPF_PROG_LOAD = 5;
const BPF_OBJ_PIN = 6;
const BPF_OBJ_GET = 7;
const BPF_BTF_LOAD = 18;
const BPF_LINK_CREATE = 28;

const BPF_MAP_TYPE_HASH = 1;
const BPF_MAP_TYPE_SK_STORAGE = 24;
const BPF_F_NO_PREALLOC = 1;
const BPF_F_CLONE = 0x200;
const BPF_PROG_TYPE_CGROUP_SOCKOPT = 25;
const BPF_PROG_TYPE_TRACING = 26;
const BPF_MODIFY_RETURN = 26;
/** BPF_CGROUP_SETSOCKOPT and BPF_CGROUP_GETSOCKOPT */
const attachTypes = { setsockopt: 22, getsockopt: 21 } as const;

const idSize = 8;
const valueSize = 1;
/** BPF_OBJ_NAME_LEN without the NUL. */
const maxNameLength = 15;
const ENOENT = 2;

function newMapAttributes(
  name: string,
  type: number,
  { keySize, valueSize }: { keySize: number; valueSize: number },
): Buffer {
  const attributes = Buffer.alloc(72);
  attributes.writeUInt32LE(type, 0);
  attributes.writeUInt32LE(keySize, 4);
  attributes.writeUInt32LE(valueSize, 8);
  attributes.write(name, 28, maxNameLength, "latin1");
  return attributes;
}

function programAttributes(name: string, instructions: Uint8Array, type: number, attachType: number): Buffer {
  const attributes = Buffer.alloc(120);
  attributes.writeUInt32LE(type, 0);
  attributes.writeUInt32LE(instructions.length / 8, 4);
  attributes.write(name, 48, maxNameLength, "latin1");
  attributes.writeUInt32LE(attachType, 68);
  return attributes;
}

function load(attributes: Buffer, instructions: Uint8Array): number {
  // The helper that tells cgroups is for programs under a licence that agrees with the kernel's.
  const license = Buffer.from("Dual BSD/GPL\0", "latin1");
  return check("load BPF program", addon().bpf(BPF_PROG_LOAD, attributes, [8, 16], [instructions, license]));
}

function mapAttributes({ fd }: IdSet): Buffer {
  const attributes = Buffer.alloc(32);
  attributes.writeUInt32LE(fd, 0);
  return attributes;
}

function encodeId(id: bigint): Buffer {
  const bytes = Buffer.alloc(idSize);
  bytes.writeBigUInt64LE(id);
  return bytes;
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}
