/** The plain values of netlink: numbers, text, presence, bytes, addresses, flags. `u16(5)` is attribute number 5. */
import { bytesOfName } from "../../base/bytes.ts";
import { type BitNames, Bits } from "./bits.ts";
import { type Attribute, codec, type IntegerType, type NumberedCodec } from "./codec.ts";
import { ipBytes, parseIp, parseIpv4, parseIpv6, readIp, readIpv4, readIpv6 } from "./ip.ts";
import { readBytes, readString } from "./message-codec.ts";
import { littleEndian, type Output } from "./wire.ts";

export const u8 = codec<number>({
  ...integer("u8", 1, 0, 0xff),
  read: (input, start) => input.view.getUint8(start),
  write(output, value) {
    const at = output.reserve(1);
    output.view.setUint8(at, value);
  },
});

export const u16 = codec<number>({
  ...integer("u16", 2, 0, 0xffff),
  read: (input, start) => input.view.getUint16(start, littleEndian),
  write(output, value) {
    const at = output.reserve(2);
    output.view.setUint16(at, value, littleEndian);
  },
});

export const u32 = codec<number>({
  ...integer("u32", 4, 0, 0xffffffff),
  read: (input, start) => input.view.getUint32(start, littleEndian),
  write(output, value) {
    const at = output.reserve(4);
    output.view.setUint32(at, value, littleEndian);
  },
});

export const s32 = codec<number>({
  ...integer("s32", 4, -0x80000000, 0x7fffffff),
  read: (input, start) => input.view.getInt32(start, littleEndian),
  write(output, value) {
    const at = output.reserve(4);
    output.view.setInt32(at, value, littleEndian);
  },
});

/** Network byte order, as ports are. */
export const u16be = codec<number>({
  ...integer("u16be", 2, 0, 0xffff),
  read: (input, start) => input.view.getUint16(start, false),
  write(output, value) {
    const at = output.reserve(2);
    output.view.setUint16(at, value, false);
  },
});

/** Network byte order. */
export const u32be = codec<number>({
  ...integer("u32be", 4, 0, 0xffffffff),
  read: (input, start) => input.view.getUint32(start, false),
  write(output, value) {
    const at = output.reserve(4);
    output.view.setUint32(at, value, false);
  },
});

const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** A bigint: MPTCP's data sequence numbers use all 64 bits, which a number would round. */
export const u64 = codec<bigint>({
  label: "u64",
  size: 8,
  alignment: 8,
  shape: { kind: "u64" },
  accepts: (value): value is bigint => typeof value === "bigint" && value >= 0n && value <= U64_MAX,
  read: (input, start) => input.view.getBigUint64(start, littleEndian),
  write(output, value) {
    const at = output.reserve(8);
    output.view.setBigUint64(at, value, littleEndian);
  },
});

/**
 * Text up to its NUL, or to its end if it has none (the kernel's NLA_STRING allows both). UTF-8; what is not printable
 * in it, and the backslash, stands as "\xff", a byte each, so that two names never become the same text.
 */
export const string = codec<string>({
  label: "string",
  shape: { kind: "string" },
  accepts: (value): value is string => typeof value === "string" && !value.includes("\0"),
  read: readString,
  write(output, value) {
    output.append(bytesOfName(value));
    output.reserve(1);
  },
});

/** A copy of the attribute's bytes. */
export const bytes = codec<Uint8Array>({
  label: "bytes",
  shape: { kind: "bytes", size: undefined },
  accepts: (value): value is Uint8Array => value instanceof Uint8Array,
  read: readBytes,
  write: (output, value) => output.append(value),
});

/** Exactly `size` bytes, for structs. */
export function fixedBytes(size: number): NumberedCodec<Uint8Array> {
  return codec<Uint8Array>({
    label: `${size} bytes`,
    size,
    shape: { kind: "bytes", size },
    accepts: (value): value is Uint8Array => value instanceof Uint8Array && value.length === size,
    read: (input, start) => readBytes(input, start, start + size),
    write: (output, value) => output.append(value),
  });
}

/** Of an address that is only tested. */
const anywhere = new Uint8Array(16);

export const ipv4 = codec<string>({
  label: "IPv4 address",
  size: 4,
  shape: { kind: "ipv4" },
  accepts: (value): value is string => typeof value === "string" && parseIpv4(value, 0, anywhere, 0),
  read: readIpv4,
  write: writeIp,
});

export const ipv6 = codec<string>({
  label: "IPv6 address",
  size: 16,
  shape: { kind: "ipv6" },
  accepts: (value): value is string => typeof value === "string" && parseIpv6(value, anywhere, 0),
  read: readIpv6,
  write: writeIp,
});

/** Either; the length tells. */
export const ip = codec<string>({
  label: "IP address",
  shape: { kind: "ip" },
  accepts: (value): value is string => typeof value === "string" && parseIp(value, anywhere, 0) !== 0,
  read: (input, start, end) => readIp(input, start, end),
  write: writeIp,
});

function writeIp(output: Output, address: string): void {
  output.append(ipBytes(address));
}

const presence = codec<boolean>({
  label: "flag",
  shape: { kind: "flag" },
  accepts: (value): value is boolean => typeof value === "boolean",
  read: () => true,
  write: () => undefined,
});

/** True when the message has the attribute, whatever it holds (NLA_FLAG); else false. */
export function flag(number: number): Attribute<boolean, "default"> {
  const attribute = presence(number);
  return {
    ...attribute,
    presence: "default",
    fallback: false,
    write(output, value) {
      if (value) attribute.write(output, value);
    },
  };
}

/** Named bits of a u32 attribute. */
export function bits<Name extends string>(
  number: number,
  names: BitNames<Name>,
): Attribute<Bits<Name>, "optional"> {
  return bitsOf(u32, names)(number);
}

/** Named bits of a number of another size, such as a u8 in a header: `bitsOf(u8, addressFlags)`. */
export function bitsOf<Name extends string>(
  number: typeof u8,
  names: BitNames<Name>,
): NumberedCodec<Bits<Name>> {
  const { shape } = number;
  if (shape.kind !== "integer") throw new RangeError(`a ${number.label} has no bits`);
  const { type, maximum } = shape;
  return codec<Bits<Name>>({
    label: `${number.label} of flags`,
    size: number.minimum,
    alignment: number.alignment,
    shape: { kind: "bits", type, names, maximum },
    accepts: (value): value is Bits<Name> => value instanceof Bits && value.value <= maximum,
    read: (input, start, end) => names.from(number.read(input, start, end)),
    write: (output, value) => number.write(output, value.value),
  });
}

function integer(label: IntegerType, size: number, minimum: number, maximum: number) {
  return {
    label,
    size,
    alignment: size,
    shape: { kind: "integer", type: label, minimum, maximum },
    accepts: (value: unknown): value is number =>
      typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum,
  } as const;
}
