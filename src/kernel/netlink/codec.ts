/** Codecs: how values lie in memory, alone (Codec), under a number (Attribute), or several with names (Schema). */
import type { AttributeNames } from "./attribute-names.ts";
import type { BitNames } from "./bits.ts";
import { NetlinkProtocolError, NetlinkValueError } from "./errors.ts";
import { type Decoder, type Encoder, tooLong, tooShort } from "./message-codec.ts";
import { Input, littleEndian, NLA_F_NESTED, Output, type Payload } from "./wire.ts";

/** How values of one kind lie in memory. Out is what reading gives, In is what writing takes. */
export interface Codec<Out, In = Out> {
  /** For error messages: "u16", "IPv4 address". */
  readonly label: string;
  /** Fewer bytes than this are refused before read() is called; more are ignored, as the kernel does. */
  readonly minimum: number;
  /** The exact length, for codecs that have one and can stand in a struct. */
  readonly size: number | undefined;
  /** Natural alignment in a struct, in bytes. */
  readonly alignment: number;
  readonly shape: Shape;
  /** For codecs of named values. */
  readonly record?: RecordParts;
  accepts(value: unknown): value is In;
  read(input: Input, start: number, end: number): Out;
  write(output: Output, value: In): void;
}

/** A codec that makes an attribute when called with its number: `u16(5)`. */
export interface NumberedCodec<Out, In = Out> extends Codec<Out, In> {
  (number: number): Attribute<Out, "optional", In>;
}

/**
 * optional: absent when the message has none. required: absence is an error. default: always there.
 * repeated: an array of all that the message has, perhaps empty.
 */
export type Presence = "optional" | "required" | "default" | "repeated";

/** An attribute of a table: the codec of each number it may come under, and what absence means. */
export interface Attribute<Out, P extends Presence, In = Out> {
  readonly presence: P;
  readonly alternatives: readonly Alternative[];
  /** The value of an absent attribute, for presence "default". */
  readonly fallback: Out | undefined;
  accepts(value: unknown): value is In;
  write(output: Output, value: In): void;
}

export type Alternative = { readonly number: number; readonly codec: Codec<unknown, unknown> };

/** Describes what a codec holds. Property tests make values from it, and the build makes code. */
export type Shape =
  | {
      readonly kind: "integer";
      readonly type: IntegerType;
      readonly minimum: number;
      readonly maximum: number;
    }
  | { readonly kind: "u64" | "string" | "flag" | "ipv4" | "ipv6" }
  /** `skipped` bytes come before the address. */
  | { readonly kind: "ip"; readonly skipped?: number }
  | { readonly kind: "bytes"; readonly size: number | undefined }
  | {
      readonly kind: "bits";
      readonly type: IntegerType;
      readonly names: BitNames<string>;
      readonly maximum: number;
    }
  | { readonly kind: "list"; readonly of: Codec<unknown, unknown> }
  /** Messages in a row. Each begins with a field for its length, which the value leaves out. */
  | {
      readonly kind: "chain";
      readonly of: Codec<unknown, unknown>;
      readonly message: RecordParts;
      readonly lengthField: string;
    }
  | RecordShape;

export type IntegerType = "u8" | "u16" | "u32" | "s32" | "u16be" | "u32be" | "counter";

export type RecordShape = {
  readonly kind: "record";
  /** Attributes only, so that an attribute that holds it is a nest. */
  readonly nested: boolean;
  /** A struct: the optional fields are there up to some one of them. */
  readonly grows: boolean;
  readonly fields: Readonly<Record<string, Field>>;
};

export type Field = { readonly presence: Presence; readonly codecs: readonly Codec<unknown, unknown>[] };

export type CodecParts<Out, In = Out> = Omit<Codec<Out, In>, "minimum" | "size" | "alignment"> & {
  readonly minimum?: number;
  readonly size?: number;
  readonly alignment?: number;
};

/** Makes a codec that can be numbered. */
export function codec<Out, In = Out>(parts: CodecParts<Out, In>): NumberedCodec<Out, In> {
  const { size } = parts;
  const whole: Codec<Out, In> = {
    ...parts,
    size,
    minimum: parts.minimum ?? size ?? 0,
    alignment: parts.alignment ?? 1,
  };
  return Object.assign((number: number) => attribute(number, whole), whole);
}

/** The attribute `number`, optional. */
export function attribute<Out, In>(number: number, codec: Codec<Out, In>): Attribute<Out, "optional", In> {
  return {
    presence: "optional",
    alternatives: [{ number, codec }],
    fallback: undefined,
    accepts: (value): value is In => codec.accepts(value),
    write: (output, value) => writeAttribute(output, number, codec, value),
  };
}

/** Writes header, value and padding (struct nlattr). Nests carry NLA_F_NESTED: strict families ask for it. */
export function writeAttribute<In>(
  output: Output,
  number: number,
  codec: Codec<unknown, In>,
  value: In,
): void {
  const { shape } = codec;
  const nested = shape.kind === "list" || (shape.kind === "record" && shape.nested);
  const start = output.reserve(4);
  codec.write(output, value);
  const length = output.length - start;
  if (length > 0xffff) throw tooLong(number, length);
  output.view.setUint16(start, length, littleEndian);
  output.view.setUint16(start + 2, nested ? number | NLA_F_NESTED : number, littleEndian);
  output.align();
}

/** A codec of named values: a struct, an attribute table, or both in a row. */
export interface Schema<Out, In = Out> extends Codec<Out, In> {
  /** Reads a whole message's payload. */
  decode(from: Uint8Array | Payload): Out;
  encode(value: In): Uint8Array;
  readonly names: AttributeNames;
  readonly record: RecordParts;
}

/** The type that a schema decodes to: `type Endpoint = Decoded<typeof endpoint>`. */
export type Decoded<S> = S extends Decoder<infer Out> ? Out : never;
/** The type that a schema encodes: as Decoded, and what has a default may be left out. */
export type Encodable<S> = S extends Encoder<infer In> ? In : never;

/** Values by name, before they have their type. */
export type Values = Record<string, unknown>;

/** What a record is made of, so that records can be put together. */
export type RecordParts = {
  readonly label: string;
  readonly minimum: number;
  readonly size: number | undefined;
  readonly alignment: number;
  readonly shape: Shape;
  readonly layout: Layout;
  readonly names: AttributeNames;
  fill(values: Values, input: Input, start: number, end: number): void;
  write(output: Output, values: object): void;
};

/** Where the values of a record are: a struct at its start, then attributes; one of both may be empty. */
export type Layout = {
  readonly fields: readonly PlacedField[];
  /** Fields that an older kernel does not have. */
  readonly later: readonly PlacedField[];
  readonly attributes: Readonly<Record<string, Attribute<unknown, Presence, unknown>>>;
  /** Where the attributes start. */
  readonly attributesFrom: number;
};

export type PlacedField = {
  readonly name: string;
  readonly codec: Codec<unknown, unknown>;
  readonly offset: number;
  readonly end: number;
};

export function schema<Out extends object, In extends object>(parts: RecordParts): Schema<Out, In> {
  const accepts = (value: unknown): value is In => typeof value === "object" && value !== null;
  const read = (input: Input, start: number, end: number): Out => {
    const values: Values = {};
    parts.fill(values, input, start, end);
    // The decoding boundary: fill() has just put into `values` what the declaration says that Out is.
    return values as Out;
  };
  const write = (output: Output, value: In): void => parts.write(output, value);
  return {
    label: parts.label,
    minimum: parts.minimum,
    size: parts.size,
    alignment: parts.alignment,
    shape: parts.shape,
    record: parts,
    names: parts.names,
    accepts,
    read,
    write,
    decode(from) {
      const [input, start, end] =
        from instanceof Uint8Array ? [new Input(from), 0, from.length] : [from.input, from.start, from.end];
      if (end - start < parts.minimum) {
        throw tooShort(parts.label, parts.minimum, start, end - start);
      }
      return read(input, start, end);
    },
    encode(value) {
      const output = new Output();
      write(output, value);
      return output.take();
    },
  };
}

/** Names the attribute in an error that comes from inside it. */
export function within(name: string | undefined, error: unknown): unknown {
  const named = error instanceof NetlinkProtocolError || error instanceof NetlinkValueError;
  return named && name !== undefined ? error.within(name) : error;
}
