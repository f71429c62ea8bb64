import { boundary, compile, type DecodedTable, type EncodableTable, type Table } from "./attribute-table.ts";
import {
  type Attribute,
  attribute,
  type Codec,
  codec,
  type Schema,
  schema,
  writeAttribute,
} from "./codec.ts";
import { tooShort } from "./message-codec.ts";
import { align4 } from "./wire.ts";

/**
 * Attributes (struct nlattr) by declaration: from one table follow the decoder, the encoder and the type.
 *
 *     const endpoint = attributes({
 *       id: required(u8(2)),
 *       address: oneOf({ 3: ipv4, 4: ipv6 }),
 *       port: withDefault(u16(5), 0),
 *     });
 *     type Endpoint = Decoded<typeof endpoint>; // { id: number; address?: string; port: number }
 *
 * As the kernel's own parser does (lib/nlattr.c, __nla_validate_parse): unknown attributes are skipped, of several
 * with one number the last wins, the NESTED and NET_BYTEORDER bits are masked off, an attribute that is longer than
 * its type is read by its first bytes. Shorter ones, and lengths that lie, throw NetlinkProtocolError.
 */
export function attributes<const T extends Table>(table: T): Schema<DecodedTable<T>, EncodableTable<T>> {
  return schema<DecodedTable<T>, EncodableTable<T>>(compile(table));
}

/** Absence is a NetlinkProtocolError. */
export function required<Out, In>(attribute: Attribute<Out, "optional", In>): Attribute<Out, "required", In> {
  return { ...attribute, presence: "required" };
}

export function withDefault<Out, In>(
  attribute: Attribute<Out, "optional", In>,
  fallback: Out,
): Attribute<Out, "default", In> {
  return { ...attribute, presence: "default", fallback };
}

/** One value that comes under one of several numbers, each with its codec: `oneOf({ 3: ipv4, 4: ipv6 })`. */
export function oneOf<Out, In>(
  codecs: Readonly<Record<number, Codec<Out, In>>>,
): Attribute<Out, "optional", In> {
  const entries = Object.entries(codecs).map(([number, codec]) => ({ number: Number(number), codec }));
  const find = (value: unknown) => entries.find(({ codec }) => codec.accepts(value));
  return {
    presence: "optional",
    alternatives: entries,
    fallback: undefined,
    accepts: (value): value is In => find(value) !== undefined,
    write(output, value) {
      const entry = find(value);
      if (entry !== undefined) writeAttribute(output, entry.number, entry.codec, value);
    },
  };
}

/** An attribute that holds attributes. */
export function nested<Out, In>(number: number, of: Schema<Out, In>): Attribute<Out, "optional", In> {
  return attribute(number, of);
}

/** An attribute that may come several times, each time with one more value. */
export function repeated<Out, In>(
  item: Attribute<Out, "optional", In>,
): Attribute<readonly Out[], "repeated", readonly In[]> {
  return {
    presence: "repeated",
    alternatives: item.alternatives,
    fallback: undefined,
    accepts: (value): value is readonly In[] =>
      Array.isArray(value) && value.every((one) => item.accepts(one)),
    write(output, values) {
      for (const value of values) item.write(output, value);
    },
  };
}

/** An attribute that holds values whose numbers only count them, from 1 (NLA_NESTED_ARRAY). */
export function list<Out, In>(
  number: number,
  of: Codec<Out, In>,
): Attribute<readonly Out[], "optional", readonly In[]> {
  return attribute(
    number,
    codec<readonly Out[], readonly In[]>({
      label: `list of ${of.label}`,
      shape: { kind: "list", of },
      accepts: (value): value is readonly In[] =>
        Array.isArray(value) && value.every((one) => of.accepts(one)),
      read(input, start, end) {
        const values: Out[] = [];
        for (let at = start; at < end; ) {
          const next = boundary(input, at, end);
          const length = next - at - 4;
          if (length < of.minimum) throw tooShort(of.label, of.minimum, at, length);
          values.push(of.read(input, at + 4, next));
          at = align4(next - start) + start;
        }
        return values;
      },
      write(output, values) {
        for (const [index, value] of values.entries()) writeAttribute(output, index + 1, of, value);
      },
    }),
  );
}
