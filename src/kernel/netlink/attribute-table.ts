/** Tables of attributes, from which `attributes` makes schemas: their types, their decoder and their encoder. */
import {
  type Attribute,
  type Codec,
  type Field,
  type Presence,
  type RecordParts,
  show,
  type Values,
  within,
} from "./codec.ts";
import { NetlinkProtocolError, NetlinkValueError } from "./errors.ts";
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
  const entries = Object.entries(table);
  for (const [name, { presence, alternatives }] of entries) {
    fields[name] = { presence, codecs: alternatives.map(({ codec }) => codec) };
    for (const { number, codec } of alternatives) {
      if (slots[number] !== undefined) throw new RangeError(`attribute ${number} is declared twice`);
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
          if (next - at - 4 < codec.minimum) throw tooShort(codec, at, next);
          const value = codec.read(input, at + 4, next);
          if (slot.repeated) append(values, slot.name, value);
          else values[slot.name] = value;
        }
        at = align4(next - start) + start;
      }
    } catch (error) {
      throw within(slot?.name, error);
    }
    for (const name of needed)
      if (values[name] === undefined)
        throw new NetlinkProtocolError("is missing", { attribute: name, offset: start, length: end - start });
  }

  function write(output: Output, values: object): void {
    for (const [name, attribute] of entries) {
      const value: unknown = Reflect.get(values, name);
      if (value === undefined) {
        if (attribute.presence === "required") throw new NetlinkValueError(name, "is missing");
        continue;
      }
      if (!attribute.accepts(value)) {
        const wanted = attribute.alternatives.map(({ codec }) => codec.label).join(" or ");
        throw new NetlinkValueError(name, `${show(value)} is no ${wanted}`);
      }
      try {
        attribute.write(output, value);
      } catch (error) {
        throw within(name, error);
      }
    }
  }

  /** The slot whose attribute contains `offset`, if that attribute is known. */
  function around(input: Input, start: number, end: number, offset: number) {
    for (let at = start; at < end; ) {
      const next = boundary(input, at, end);
      if (offset >= at && offset < next) {
        const slot = slots[input.view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK];
        return slot === undefined ? undefined : { slot, at, next };
      }
      at = align4(next - start) + start;
    }
    return undefined;
  }

  return {
    label: "attributes",
    minimum: 0,
    size: undefined,
    alignment: 4,
    shape: { kind: "record", nested: true, grows: false, fields },
    fill,
    write,
    attributeAt(input, start, end, offset) {
      const found = around(input, start, end, offset);
      if (found === undefined) return undefined;
      const { slot, at, next } = found;
      const inner = offset < at + 4 ? undefined : slot.codec.record?.attributeAt(input, at + 4, next, offset);
      return inner === undefined ? slot.name : `${slot.name}.${inner}`;
    },
    attributeNumbered(input, start, end, number, nest) {
      if (nest === undefined) return slots[number]?.name;
      const found = around(input, start, end, nest);
      if (found === undefined) return undefined;
      const deeper = nest === found.at ? undefined : nest;
      const inner = found.slot.codec.record?.attributeNumbered(
        input,
        found.at + 4,
        found.next,
        number,
        deeper,
      );
      return inner === undefined ? undefined : `${found.slot.name}.${inner}`;
    },
  };
}

/** The end of the attribute at `at`, without its padding. */
export function boundary(input: Input, at: number, end: number): number {
  const left = end - at;
  if (left < 4)
    throw new NetlinkProtocolError("an attribute header is cut short", { offset: at, length: left });
  const length = input.view.getUint16(at, littleEndian);
  if (length < 4 || length > left)
    throw new NetlinkProtocolError(`an attribute has a length of ${length} where ${left} bytes are left`, {
      offset: at,
      length,
    });
  return at + length;
}

export function tooShort(codec: Codec<unknown, unknown>, at: number, next: number): NetlinkProtocolError {
  return new NetlinkProtocolError(`${codec.label} needs ${codec.minimum} bytes`, {
    offset: at,
    length: next - at - 4,
  });
}

function append(values: Values, name: string, value: unknown): void {
  const array = values[name];
  if (Array.isArray(array)) array.push(value);
}
