/** Tables of attributes, from which `attributes` makes schemas: their types, their decoder and their encoder. */
import type { AttributeNames } from "./attribute-names.ts";
import {
  type Attribute,
  type Codec,
  type Field,
  type Presence,
  type RecordParts,
  type Values,
  within,
} from "./codec.ts";
import { badLength, misfit, missing, missingValue, tooShort } from "./message-codec.ts";
import { align4, type Input, littleEndian, NLA_TYPE_MASK, type Output } from "./wire.ts";

export type Table = Readonly<Record<string, Attribute<unknown, Presence, unknown>>>;

export type DecodedTable<T extends Table> = Flat<
  { readonly [K in keyof T as T[K] extends Optional ? never : K]: OutOf<T[K]> } & {
    readonly [K in keyof T as T[K] extends Optional ? K : never]?: OutOf<T[K]>;
  }
>;

export type EncodableTable<T extends Table> = Flat<
  { readonly [K in keyof T as T[K] extends Required ? K : never]: InOf<T[K]> } & {
    readonly [K in keyof T as T[K] extends Required ? never : K]?: InOf<T[K]> | undefined;
  }
>;

type Optional = Attribute<unknown, "optional", unknown>;
type Required = Attribute<unknown, "required", unknown>;
type OutOf<A> = A extends Attribute<infer Out, infer _P, infer _In> ? Out : never;
type InOf<A> = A extends Attribute<infer _Out, infer _P, infer In> ? In : never;
export type Flat<T> = { [K in keyof T]: T[K] };

type Slot = { readonly name: string; readonly codec: Codec<unknown, unknown>; readonly repeated: boolean };

/** The table as an array by attribute number, so that decoding is one indexed load an attribute. */
export function compile(table: Table): RecordParts {
  const slots: (Slot | undefined)[] = [];
  const fields: Record<string, Field> = {};
  const names: Record<number, readonly [name: string, inside?: AttributeNames]> = {};
  const entries = Object.entries(table);
  for (const [name, { presence, alternatives }] of entries) {
    fields[name] = { presence, codecs: alternatives.map(({ codec }) => codec) };
    for (const { number, codec } of alternatives) {
      if (slots[number] !== undefined) throw new RangeError(`attribute ${number} is declared twice`);
      const inside = codec.record?.names;
      names[number] = inside === undefined ? [name] : [name, inside];
      slots[number] = { name, codec, repeated: presence === "repeated" };
    }
  }
  // No holes: V8 reads packed arrays faster.
  for (let number = 0; number < slots.length; number++) slots[number] ??= undefined;
  const defaults = entries.filter(([, { presence }]) => presence === "default");
  const repeats = entries.filter(([, { presence }]) => presence === "repeated").map(([name]) => name);
  const needed = entries.filter(([, { presence }]) => presence === "required").map(([name]) => name);

  function fill(values: Values, input: Input, start: number, end: number): void {
    for (const [name, { fallback }] of defaults) values[name] = fallback;
    for (const name of repeats) values[name] = [];
    let slot: Slot | undefined;
    try {
      for (let at = start; at < end; ) {
        slot = undefined;
        const next = boundary(input, at, end);
        slot = slots[input.view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK];
        if (slot !== undefined) {
          const { codec } = slot;
          const length = next - at - 4;
          if (length < codec.minimum) throw tooShort(codec.label, codec.minimum, at, length);
          const value = codec.read(input, at + 4, next);
          if (slot.repeated) append(values, slot.name, value);
          else values[slot.name] = value;
        }
        at = align4(next - start) + start;
      }
    } catch (error) {
      throw within(slot?.name, error);
    }
    for (const name of needed) if (values[name] === undefined) throw missing(name, start, end);
  }

  function write(output: Output, values: object): void {
    for (const [name, attribute] of entries) {
      const value: unknown = Reflect.get(values, name);
      if (value === undefined) {
        if (attribute.presence === "required") throw missingValue(name);
        continue;
      }
      if (!attribute.accepts(value)) {
        const wanted = attribute.alternatives.map(({ codec }) => codec.label).join(" or ");
        throw misfit(name, value, wanted);
      }
      try {
        attribute.write(output, value);
      } catch (error) {
        throw within(name, error);
      }
    }
  }

  return {
    label: "attributes",
    minimum: 0,
    size: undefined,
    alignment: 4,
    shape: { kind: "record", nested: true, grows: false, fields },
    layout: { fields: [], later: [], attributes: table, attributesFrom: 0 },
    names: { from: 0, names },
    fill,
    write,
  };
}

/** The end of the attribute at `at`, without its padding. */
export function boundary(input: Input, at: number, end: number): number {
  const left = end - at;
  const length = left < 4 ? 0 : input.view.getUint16(at, littleEndian);
  if (length < 4 || length > left) throw badLength(input, at, end);
  return at + length;
}

function append(values: Values, name: string, value: unknown): void {
  const array = values[name];
  if (Array.isArray(array)) array.push(value);
}
