/** The plain values of netlink: numbers, text, presence, bytes, flags. `u16(5)` is attribute number 5. */
import { bytesOfName, nameOfBytes } from "../../base/bytes.ts";
import { type BitNames, Bits } from "./bits.ts";
import { type Attribute, codec, type NumberedCodec } from "./codec.ts";
import { littleEndian } from "./wire.ts";

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
  read({ buffer }, start, end) {
    for (let at = start; at < end; at++) if (buffer[at] === 0) return nameOfBytes(buffer.subarray(start, at));
    return nameOfBytes(buffer.subarray(start, end));
  },
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
  read: (input, start, end) => new Uint8Array(input.buffer.subarray(start, end)),
  write: (output, value) => output.append(value),
});

/** Exactly `size` bytes, for structs. */
export function fixedBytes(size: number): NumberedCodec<Uint8Array> {
  return codec<Uint8Array>({
    label: `${size} bytes`,
    size,
    shape: { kind: "bytes", size },
    accepts: (value): value is Uint8Array => value instanceof Uint8Array && value.length === size,
    read: (input, start) => new Uint8Array(input.buffer.subarray(start, start + size)),
    write: (output, value) => output.append(value),
  });
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
  const maximum = number.shape.kind === "integer" ? number.shape.maximum : 0;
  return codec<Bits<Name>>({
    label: `${number.label} of flags`,
    size: number.minimum,
    alignment: number.alignment,
    shape: { kind: "bits", names, maximum },
    accepts: (value): value is Bits<Name> => value instanceof Bits && value.value <= maximum,
    read: (input, start, end) => names.from(number.read(input, start, end)),
    write: (output, value) => number.write(output, value.value),
  });
}

function integer(label: string, size: number, minimum: number, maximum: number) {
  return {
    label,
    size,
    alignment: size,
    shape: { kind: "integer", minimum, maximum },
    accepts: (value: unknown): value is number =>
      typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum,
  } as const;
}
