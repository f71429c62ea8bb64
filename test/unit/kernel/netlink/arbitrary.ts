import fc from "fast-check";
import { nameOfBytes } from "../../../../src/base/bytes.ts";
import type { Codec, Field, RecordShape, Schema, Shape } from "../../../../src/kernel/netlink/codec.ts";
import { ipText } from "../../../../src/kernel/netlink/ip.ts";

/** Any value of a codec, made from its shape: every schema can so be tested without a word about it. */
export function arbitrary(codec: Codec<unknown, unknown>): fc.Arbitrary<unknown> {
  return ofShape(codec.shape);
}

function ofShape(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "integer":
      return fc.oneof(
        fc.integer({ min: shape.minimum, max: shape.maximum }),
        fc.constantFrom(shape.minimum, shape.maximum),
      );
    case "u64":
      return fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
    case "string":
      return fc.oneof(
        fc
          .string({ unit: "grapheme", maxLength: 20 })
          .map((text) => nameOfBytes(withoutNul(Buffer.from(text)))),
        fc.uint8Array({ maxLength: 20 }).map((bytes) => nameOfBytes(withoutNul(bytes))),
      );
    case "flag":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array(shape.size === undefined ? {} : { minLength: shape.size, maxLength: shape.size });
    case "bits":
      return fc.integer({ min: 0, max: shape.maximum }).map((value) => shape.names.from(value));
    case "ipv4":
      return addresses(4);
    case "ipv6":
      return addresses(16);
    case "ip":
      return fc.oneof(addresses(4), addresses(16));
    case "list":
    case "chain":
      return fc.array(arbitrary(shape.of), { maxLength: 4 });
    case "record":
      return ofRecord(shape);
  }
}

function ofRecord({ fields, grows }: RecordShape): fc.Arbitrary<unknown> {
  const values = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, ofField(field)]));
  const optional = Object.keys(fields).filter((name) => fields[name]?.presence === "optional");
  const always = Object.keys(fields).filter((name) => !optional.includes(name));
  const record = (requiredKeys: string[]) => fc.record(values, { requiredKeys, noNullPrototype: true });
  if (!grows) return record(always);
  return fc.nat(optional.length).chain((count) => {
    const present = [...always, ...optional.slice(0, count)];
    return fc.record(Object.fromEntries(present.map((name) => [name, values[name] ?? fc.constant(0)])), {
      noNullPrototype: true,
    });
  });
}

function ofField({ presence, codecs }: Field): fc.Arbitrary<unknown> {
  const one = fc.oneof(...codecs.map(arbitrary));
  return presence === "repeated" ? fc.array(one, { maxLength: 4 }) : one;
}

function withoutNul(bytes: Uint8Array): Uint8Array {
  return bytes.filter((byte) => byte !== 0);
}

/** Zeros are likely, so that "::" is met in all places. */
function addresses(length: 4 | 16): fc.Arbitrary<string> {
  const byte = fc.oneof(fc.constant(0), fc.constant(255), fc.integer({ min: 0, max: 255 }));
  return fc
    .array(byte, { minLength: length, maxLength: length })
    .map((bytes) => ipText(Uint8Array.from(bytes)));
}

/** Bytes of the schema with a few of them changed: most lengths are right, some lie. */
export function almost(schema: Schema<unknown, unknown>): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  return fc.tuple(arbitrary(schema), changes, fc.nat(8)).map(([value, edits, cut]) => {
    const bytes = schema.encode(value);
    for (const [place, byte] of edits) if (bytes.length > 0) bytes[place % bytes.length] = byte;
    return bytes.subarray(0, Math.max(0, bytes.length - cut));
  });
}

/** A value of the codec in which some values are of another kind, or too large, or missing. */
export function unfit(codec: Codec<unknown, unknown>): fc.Arbitrary<unknown> {
  const { shape } = codec;
  if (shape.kind !== "record") return fc.oneof(arbitrary(codec), strange);
  const members = Object.entries(shape.fields).map(([name, { codecs }]): [string, fc.Arbitrary<unknown>] => [
    name,
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      { weight: 8, arbitrary: fc.oneof(...codecs.map(arbitrary)) },
      { weight: 1, arbitrary: fc.oneof(...codecs.map(unfit)) },
    ),
  ]);
  return fc.record(Object.fromEntries(members), { noNullPrototype: true });
}

const strange = fc.oneof(
  fc.constantFrom(null, -1, 1.5, 256, 65536, 2 ** 32, -(2 ** 31) - 1, NaN, -0, 5n, "", "::%eth0", "10.0.0"),
  fc.constantFrom("a\0b", true, {}, [], new Uint8Array(3)),
);
