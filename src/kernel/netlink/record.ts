import type { Codec, Shape } from "./codec.ts";
import { NetlinkProtocolError, NetlinkValueError } from "./errors.ts";
import { Output } from "./output.ts";
import { Input, type NetlinkMessage } from "./wire.ts";

/** A codec of named values: a struct, an attribute table, or both in a row. */
export interface Schema<Out, In = Out> extends Codec<Out, In> {
  /** Reads a whole message's payload. */
  decode(from: Uint8Array | NetlinkMessage): Out;
  encode(value: In): Uint8Array;
  /** The name of the attribute at `offset` of encoded bytes, as an extended ack gives it. */
  attributeAt(bytes: Uint8Array, offset: number): string | undefined;
  /** The name of attribute `number` in the nest that starts at `nest`, or at the top: for "missing attribute". */
  attributeNumbered(bytes: Uint8Array, number: number, nest?: number): string | undefined;
  readonly record: RecordParts;
}

/** The type that a schema decodes to: `type Endpoint = Decoded<typeof endpoint>`. */
export type Decoded<S> = S extends Schema<infer Out, infer _In> ? Out : never;
/** The type that a schema encodes: as Decoded, and what has a default may be left out. */
export type Encodable<S> = S extends Schema<infer _Out, infer In> ? In : never;

/** Values by name, before they have their type. */
export type Values = Record<string, unknown>;

/** What a record is made of, so that records can be put together. */
export type RecordParts = {
  readonly label: string;
  readonly minimum: number;
  readonly size: number | undefined;
  readonly alignment: number;
  readonly shape: Shape;
  fill(values: Values, input: Input, start: number, end: number): void;
  write(output: Output, values: object): void;
  attributeAt(input: Input, start: number, end: number, offset: number): string | undefined;
  attributeNumbered(
    input: Input,
    start: number,
    end: number,
    number: number,
    nest: number | undefined,
  ): string | undefined;
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
    accepts,
    read,
    write,
    decode(from) {
      const [input, start, end] =
        from instanceof Uint8Array ? [new Input(from), 0, from.length] : [from.input, from.start, from.end];
      if (end - start < parts.minimum) {
        const problem = `${parts.label} needs ${parts.minimum} bytes`;
        throw new NetlinkProtocolError(problem, { offset: start, length: end - start });
      }
      return read(input, start, end);
    },
    encode(value) {
      const output = new Output();
      write(output, value);
      return output.take();
    },
    attributeAt: (bytes, offset) => parts.attributeAt(new Input(bytes), 0, bytes.length, offset),
    attributeNumbered: (bytes, number, nest) =>
      parts.attributeNumbered(new Input(bytes), 0, bytes.length, number, nest),
  };
}

/** Names the attribute in an error that comes from inside it. */
export function within(name: string | undefined, error: unknown): unknown {
  const named = error instanceof NetlinkProtocolError || error instanceof NetlinkValueError;
  return named && name !== undefined ? error.within(name) : error;
}

/** `value` for messages, short: 300, "abc…", [object]. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "object" && value !== null
    ? `a ${value.constructor?.name ?? "object"}`
    : String(value);
}
