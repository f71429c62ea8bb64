/** bpf(2): the commands that we need. `union bpf_attr` of include/uapi/linux/bpf.h is written here and nowhere else. */
import { addon, check } from "../../netlink/addon.ts";

/** Keys of eight bytes; the values mean nothing. */
export type IdSet = { readonly fd: number };

/** A new map of ids (BPF_MAP_TYPE_HASH). */
export function createIdSet(name: string, maxEntries: number): IdSet {
  const attributes = Buffer.alloc(72);
  attributes.writeUInt32LE(BPF_MAP_TYPE_HASH, 0);
  attributes.writeUInt32LE(idSize, 4);
  attributes.writeUInt32LE(valueSize, 8);
  attributes.writeUInt32LE(maxEntries, 12);
  attributes.writeUInt32LE(BPF_F_NO_PREALLOC, 16);
  attributes.write(name, 28, maxNameLength, "latin1");
  return { fd: check("create BPF map", addon().bpf(BPF_MAP_CREATE, attributes, [], [])) };
}

export function addId(ids: IdSet, id: bigint): void {
  const attributes = mapAttributes(ids);
  const buffers = [encodeId(id), Buffer.alloc(valueSize)];
  check("add to BPF map", addon().bpf(BPF_MAP_UPDATE_ELEM, attributes, [8, 16], buffers));
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
  const attributes = Buffer.alloc(120);
  attributes.writeUInt32LE(BPF_PROG_TYPE_TRACING, 0);
  attributes.writeUInt32LE(instructions.length / 8, 4);
  attributes.write(name, 48, maxNameLength, "latin1");
  attributes.writeUInt32LE(BPF_MODIFY_RETURN, 68);
  attributes.writeUInt32LE(functionId, 108);
  // The helper that tells cgroups is for programs under a licence that agrees with the kernel's.
  const license = Buffer.from("Dual BSD/GPL\0", "latin1");
  return check("load BPF program", addon().bpf(BPF_PROG_LOAD, attributes, [8, 16], [instructions, license]));
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
const BPF_LINK_CREATE = 28;

const BPF_MAP_TYPE_HASH = 1;
const BPF_F_NO_PREALLOC = 1;
const BPF_PROG_TYPE_TRACING = 26;
const BPF_MODIFY_RETURN = 26;

const idSize = 8;
const valueSize = 1;
/** BPF_OBJ_NAME_LEN without the NUL. */
const maxNameLength = 15;
const ENOENT = 2;

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
