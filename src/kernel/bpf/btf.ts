/**
 * Finds a function of the kernel in its type information, by the id of which a BPF program is attached to it; describes
 * the types of our own maps.
 * The format: Documentation/bpf/btf.rst, include/uapi/linux/btf.h.
 */
import { readFileSync } from "node:fs";
import { BpfError } from "./syscalls.ts";

/** The type information of the running kernel. Throws a BpfError where there is none. */
export function readKernelTypes(path = "/sys/kernel/btf/vmlinux"): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new BpfError(
      "BTF",
      `this kernel tells nothing about its types (no ${path}): it takes one built with CONFIG_DEBUG_INFO_BTF`,
      cause,
    );
  }
}

/** The id of the function of that name; undefined if there is none. Throws a BpfError if `types` is no BTF. */
export function findFunction(types: Buffer, name: string): number | undefined {
  try {
    return find(types, name);
  } catch (cause) {
    // Buffer refuses to read past its end.
    if (cause instanceof RangeError) throw malformed("it ends in the middle of a type", cause);
    throw cause;
  }
}

/** The description of a number of 32 bits and of so many of them, and the ids of both. */
export function numbersTypes(count: number): {
  readonly data: Uint8Array;
  readonly number: number;
  readonly numbers: number;
  readonly count: number;
} {
  const strings = Buffer.from("\0int\0", "latin1");
  const types = Buffer.alloc(2 * commonSize + 4 + 12);
  types.writeUInt32LE(1, 0);
  types.writeUInt32LE(BTF_KIND_INT << 24, 4);
  types.writeUInt32LE(4, 8);
  types.writeUInt32LE((BTF_INT_SIGNED << 24) | 32, 12);
  types.writeUInt32LE(BTF_KIND_ARRAY << 24, 20);
  // Its elements, its index, how many
  for (const [index, value] of [1, 1, count].entries()) types.writeUInt32LE(value, 28 + 4 * index);
  const header = Buffer.alloc(headerSize);
  header.writeUInt16LE(magic, 0);
  header.writeUInt8(1, 2);
  header.writeUInt32LE(headerSize, 4);
  header.writeUInt32LE(types.length, 12);
  header.writeUInt32LE(types.length, 16);
  header.writeUInt32LE(strings.length, 20);
  return { data: Buffer.concat([header, types, strings]), number: 1, numbers: 2, count };
}

const magic = 0xeb9f;
const headerSize = 24;
const commonSize = 12;
const BTF_KIND_INT = 1;
const BTF_KIND_ARRAY = 3;
const BTF_KIND_FUNC = 12;
const BTF_INT_SIGNED = 1;

/** How many bytes follow a type's common part, by kind; `count` is its number of members. */
const furtherSizes: readonly ((count: number) => number)[] = [
  () => 0, // void; has no record
  () => 4, // integer
  () => 0, // pointer
  () => 12, // array
  (count) => 12 * count, // struct
  (count) => 12 * count, // union
  (count) => 8 * count, // enum
  () => 0, // forward declaration
  () => 0, // typedef
  () => 0, // volatile
  () => 0, // const
  () => 0, // restrict
  () => 0, // function
  (count) => 8 * count, // function prototype
  () => 4, // variable
  (count) => 12 * count, // section of data
  () => 0, // floating point
  () => 4, // declaration tag
  () => 0, // type tag
  (count) => 12 * count, // enum of 64 bits
];

function find(types: Buffer, name: string): number | undefined {
  if (types.readUInt16LE(0) !== magic) throw malformed("wrong magic number");
  const header = types.readUInt32LE(4);
  if (header < headerSize) throw malformed("its header is too short");
  const typesStart = header + types.readUInt32LE(8);
  const typesEnd = typesStart + types.readUInt32LE(12);
  const stringsStart = header + types.readUInt32LE(16);
  const strings = types.subarray(stringsStart, stringsStart + types.readUInt32LE(20));
  // Strings are stored once, but for ends of others; the one that begins after a NUL is the whole name.
  const position = strings.indexOf(`\0${name}\0`);
  if (position < 0) return undefined;
  let at = typesStart;
  // Ids count from 1: 0 is void.
  for (let id = 1; at < typesEnd; id++) {
    const info = types.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 0x1f;
    if (kind === BTF_KIND_FUNC && types.readUInt32LE(at) === position + 1) return id;
    const further = furtherSizes[kind];
    if (further === undefined) throw malformed(`type ${id} is of the unknown kind ${kind}`);
    at += commonSize + further(info & 0xffff);
  }
  return undefined;
}

function malformed(what: string, cause?: unknown): BpfError {
  return new BpfError("BTF", `cannot read the kernel's type information (BTF): ${what}`, cause);
}
