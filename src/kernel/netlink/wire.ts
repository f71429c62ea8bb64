/**
 * Framing: how messages lie in a datagram (include/uapi/linux/netlink.h, netlink(7)). Numbers are in the host's
 * byte order; everything starts at a multiple of 4.
 */
import { endianness } from "node:os";
import { NetlinkProtocolError } from "./errors.ts";

export const littleEndian = endianness() === "LE";

/** The length of nlmsghdr: length u32, type u16, flags u16, sequence u32, port id u32. */
export const HEADER_LENGTH = 16;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
/** In an error: attributes of enum nlmsgerr_attrs follow. */
export const NLM_F_ACK_TLVS = 0x200;

export const NLA_F_NESTED = 0x8000;
/** The attribute's number without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
export const NLA_TYPE_MASK = 0x3fff;

export function align4(length: number): number {
  return (length + 3) & ~3;
}

/**
 * Bytes that are read: numbers through `view`, text and copies through `buffer`. One memory, the same offsets.
 * Of memory that is used again, `length` says how much of it is meant.
 */
export class Input {
  readonly view: DataView;
  readonly buffer: Buffer;
  length: number;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.byteLength;
  }
}

/** What a message holds after its header: input[start, end). */
export type Payload = { readonly input: Input; readonly start: number; readonly end: number };

/** One message of a datagram. Its payload is input[start, end) and lives as long as the datagram's memory. */
export class NetlinkMessage {
  readonly input: Input;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  readonly start: number;
  readonly end: number;

  constructor(input: Input, offset: number, length: number) {
    const { view } = input;
    this.input = input;
    this.type = view.getUint16(offset + 4, littleEndian);
    this.flags = view.getUint16(offset + 6, littleEndian);
    this.sequence = view.getUint32(offset + 8, littleEndian);
    this.portId = view.getUint32(offset + 12, littleEndian);
    this.start = offset + HEADER_LENGTH;
    this.end = offset + length;
  }
}

/**
 * The message at an offset of a datagram; the next one is at align4(end). Throws NetlinkProtocolError at a length
 * that is short or lies.
 */
export function messageAt(input: Input, offset: number): NetlinkMessage {
  const left = input.length - offset;
  if (left < HEADER_LENGTH)
    throw new NetlinkProtocolError("a message header is cut short", { offset, length: left });
  const length = input.view.getUint32(offset, littleEndian);
  if (length < HEADER_LENGTH || length > left)
    throw new NetlinkProtocolError(`a message has a length of ${length} where ${left} bytes are left`, {
      offset,
      length,
    });
  return new NetlinkMessage(input, offset, length);
}

/** Bytes that are written: grows as needed, new bytes are zero. Ask for `bytes` and `view` again after it grew. */
export class Output {
  /** As many as a multiple of 4. */
  bytes = new Uint8Array(256);
  view = new DataView(this.bytes.buffer);
  length = 0;

  /** Forgets what was written, and leaves room for the header of a message. */
  startMessage(): void {
    this.bytes.fill(0);
    this.length = HEADER_LENGTH;
  }

  /** Writes the header, and pads. Gives the message in the memory of this output. */
  endMessage(type: number, flags: number, sequence: number, portId: number): Uint8Array {
    const { view } = this;
    view.setUint32(0, this.length, littleEndian);
    view.setUint16(4, type, littleEndian);
    view.setUint16(6, flags, littleEndian);
    view.setUint32(8, sequence, littleEndian);
    view.setUint32(12, portId, littleEndian);
    this.length = align4(this.length);
    return this.bytes.subarray(0, this.length);
  }

  /** Adds `size` zero bytes; returns the offset of the first. */
  reserve(size: number): number {
    const offset = this.length;
    this.makeRoom(size);
    this.length += size;
    return offset;
  }

  /** There are `size` zero bytes from `length` on. */
  makeRoom(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(align4(Math.max(needed, 2 * this.bytes.length)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  append(bytes: Uint8Array): void {
    const offset = this.reserve(bytes.length);
    this.bytes.set(bytes, offset);
  }

  /** Pads to a multiple of 4. */
  align(): void {
    this.reserve(align4(this.length) - this.length);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
