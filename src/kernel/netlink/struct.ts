import type { DecodedTable, EncodableTable, Flat, Table } from "./attribute-table.ts";
import { attributes } from "./attributes.ts";
import {
  type Codec,
  codec,
  type Field,
  type NumberedCodec,
  type PlacedField,
  type RecordParts,
  type Schema,
  schema,
  within,
} from "./codec.ts";
import { misfit } from "./message-codec.ts";
import { align4, type Output } from "./wire.ts";

/**
 * A C struct: fields in their order, each at its natural alignment, as the compiler lays it out.
 *
 *     const ifaddrmsg = struct({ family: u8, prefixLength: u8, flags: u8, scope: u8, ifIndex: u32 });
 *
 * `later` are fields that newer kernels added at the end: absent when the struct that was read is too short for them,
 * and not written from the last one on that has a value.
 */
export function struct<const F extends Fields, const L extends Fields = Record<never, never>>(
  fields: F,
  later?: L,
): NumberedCodec<DecodedStruct<F, L>, EncodableStruct<F, L>> &
  Schema<DecodedStruct<F, L>, EncodableStruct<F, L>> {
  const whole = schema<DecodedStruct<F, L>, EncodableStruct<F, L>>(layOut(fields, later ?? {}));
  return Object.assign(codec(withSize(whole)), whole);
}

/** A struct followed by attributes, as in every message of rtnetlink: one record of all their names. */
export function message<HeaderOut, HeaderIn, const T extends Table>(parts: {
  header: Schema<HeaderOut, HeaderIn>;
  attributes: T;
}): Schema<Flat<HeaderOut & DecodedTable<T>>, Flat<HeaderIn & EncodableTable<T>>> {
  const header = parts.header.record;
  const body = attributes(parts.attributes).record;
  const skip = align4(header.minimum);
  const shape = {
    kind: "record",
    nested: false,
    grows: false,
    fields: { ...fieldsOf(header), ...fieldsOf(body) },
  } as const;
  if (
    Object.keys(shape.fields).length <
    Object.keys(fieldsOf(header)).length + Object.keys(fieldsOf(body)).length
  )
    throw new RangeError("a header field and an attribute have one name");
  return schema<Flat<HeaderOut & DecodedTable<T>>, Flat<HeaderIn & EncodableTable<T>>>({
    label: "message",
    minimum: header.minimum,
    size: undefined,
    alignment: 4,
    shape,
    layout: { ...header.layout, attributes: parts.attributes, attributesFrom: skip },
    names: { from: skip, names: body.names.names },
    fill(values, input, start, end) {
      header.fill(values, input, start, start + header.minimum);
      if (start + skip < end) body.fill(values, input, start + skip, end);
      else body.fill(values, input, end, end);
    },
    write(output, values) {
      header.write(output, values);
      output.align();
      body.write(output, values);
    },
  });
}

export type Fields = Readonly<Record<string, Codec<unknown, unknown>>>;
type OutOf<C> = C extends Codec<infer Out, infer _In> ? Out : never;
type InOf<C> = C extends Codec<infer _Out, infer In> ? In : never;
export type DecodedStruct<F extends Fields, L extends Fields> = Flat<
  { readonly [K in keyof F]: OutOf<F[K]> } & { readonly [K in keyof L]?: OutOf<L[K]> }
>;
/** Fields that are left out are zero. */
export type EncodableStruct<F extends Fields, L extends Fields> = Flat<
  { readonly [K in keyof F]?: InOf<F[K]> | undefined } & { readonly [K in keyof L]?: InOf<L[K]> | undefined }
>;

function layOut(fields: Fields, later: Fields): RecordParts {
  let length = 0;
  let alignment = 1;
  const place = ([name, codec]: [string, Codec<unknown, unknown>]) => {
    const { size } = codec;
    if (size === undefined) throw new RangeError(`${name}: a ${codec.label} has no fixed size`);
    const offset = alignTo(length, codec.alignment);
    length = offset + size;
    alignment = Math.max(alignment, codec.alignment);
    return { name, codec, offset, end: length };
  };
  const first = Object.entries(fields).map(place);
  // A struct that can grow has no settled padding at its end, what is added later may start inside it; and no size.
  const grows = Object.keys(later).length > 0;
  if (!grows) length = alignTo(length, alignment);
  const minimum = length;
  const rest = Object.entries(later).map(place);
  return {
    label: "struct",
    minimum,
    size: grows ? undefined : length,
    alignment,
    shape: {
      kind: "record",
      nested: false,
      grows,
      fields: { ...shapes(fields, "default"), ...shapes(later, "optional") },
    },
    layout: { fields: first, later: rest, attributes: {}, attributesFrom: length },
    names: { from: length, names: {} },
    fill(values, input, start, end) {
      for (const { name, codec, offset, end: last } of first)
        values[name] = codec.read(input, start + offset, start + last);
      for (const { name, codec, offset, end: last } of rest)
        if (start + last <= end) values[name] = codec.read(input, start + offset, start + last);
    },
    write(output, values) {
      const start = output.length;
      for (const field of first) write(output, start, field, Reflect.get(values, field.name));
      const last = rest.findLastIndex(({ name }) => Reflect.get(values, name) !== undefined);
      for (const field of rest.slice(0, last + 1))
        write(output, start, field, Reflect.get(values, field.name));
      if (!grows) output.reserve(start + length - output.length);
    },
  };
}

/** A field at its place in the struct that starts at `start`; zeros for a value that is left out. */
function write(
  output: Output,
  start: number,
  { name, codec, offset, end }: PlacedField,
  value: unknown,
): void {
  output.reserve(start + offset - output.length);
  if (value === undefined) output.reserve(end - offset);
  else if (!codec.accepts(value)) throw misfit(name, value, codec.label);
  else {
    try {
      codec.write(output, value);
    } catch (error) {
      throw within(name, error);
    }
  }
}

/** codec() wants exact optional members. */
function withSize<Out, In>(whole: Schema<Out, In>) {
  const { size, ...rest } = whole;
  return size === undefined ? rest : { ...rest, size };
}

function shapes(fields: Fields, presence: Field["presence"]): Record<string, Field> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, codec]) => [name, { presence, codecs: [codec] }]),
  );
}

function fieldsOf({ shape }: RecordParts): Readonly<Record<string, Field>> {
  return shape.kind === "record" ? shape.fields : {};
}

function alignTo(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}
