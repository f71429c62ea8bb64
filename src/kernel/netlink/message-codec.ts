/** What generated codecs are, and what they share (tools/codecs.mjs makes them from the schemas). */
import { bytesOfName, nameOfBytes } from "../../base/bytes.ts";
import type { AttributeNames } from "./attribute-names.ts";
import { NetlinkProtocolError, NetlinkValueError } from "./errors.ts";
import { type Input, littleEndian, type Output, type Payload } from "./wire.ts";

/** Reads messages of one kind. Every schema is one, too. */
export interface Decoder<Out> {
  decode(payload: Payload): Out;
}

/** Writes messages of one kind. Every schema is one, too. */
export interface Encoder<In> {
  write(output: Output, value: In): void;
  readonly names: AttributeNames;
}

export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Text up to its NUL, or to its end if it has none. */
export function readString({ buffer }: Input, start: number, end: number): string {
  let at = start;
  while (at < end && buffer[at] !== 0) at++;
  return nameOfBytes(buffer.subarray(start, at));
}

export function readBytes({ buffer }: Input, start: number, end: number): Uint8Array {
  return new Uint8Array(buffer.subarray(start, end));
}

/** A text as an attribute, at the end of what was written. */
export function writeString(output: Output, number: number, text: string, attribute: string): void {
  if (typeof text !== "string" || text.includes("\0")) throw misfit(attribute, text, "string");
  const start = output.reserve(4);
  output.append(bytesOfName(text));
  output.reserve(1);
  const length = output.length - start;
  if (length > 0xffff) throw tooLong(number, length).within(attribute);
  output.view.setUint16(start, length, littleEndian);
  output.view.setUint16(start + 2, number, littleEndian);
  output.align();
}

// Errors. `attribute` is the whole path of an attribute, with dots; undefined: the message.

/** Of an attribute at `at` whose header is cut short, or whose length lies. */
export function badLength(input: Input, at: number, end: number, attribute?: string): NetlinkProtocolError {
  const left = end - at;
  if (left < 4)
    return new NetlinkProtocolError("an attribute header is cut short", {
      attribute,
      offset: at,
      length: left,
    });
  const length = input.view.getUint16(at, littleEndian);
  const problem = `an attribute has a length of ${length} where ${left} bytes are left`;
  return new NetlinkProtocolError(problem, { attribute, offset: at, length });
}

/** Of a link of a chain at `at`, which begins with its length. */
export function badLink(label: string, at: number, left: number, length: number, attribute?: string) {
  const problem = `a ${label} has a length of ${length} where ${left} bytes are left`;
  return new NetlinkProtocolError(problem, { attribute, offset: at, length });
}

export function tooShort(label: string, minimum: number, at: number, length: number, attribute?: string) {
  const problem = `${label} needs ${minimum} bytes`;
  return new NetlinkProtocolError(problem, { attribute, offset: at, length });
}

export function missing(attribute: string, start: number, end: number): NetlinkProtocolError {
  return new NetlinkProtocolError("is missing", { attribute, offset: start, length: end - start });
}

export function missingValue(attribute: string): NetlinkValueError {
  return new NetlinkValueError(attribute, "is missing");
}

/** `label` says what would fit: "u8". */
export function misfit(attribute: string, value: unknown, label: string): NetlinkValueError {
  return new NetlinkValueError(attribute, `${show(value)} is no ${label}`);
}

export function tooLong(number: number, length: number): NetlinkValueError {
  return new NetlinkValueError(String(number), `${length} bytes are too long, 65535 is the most`);
}

/** `value` for messages, short: 300, "abc…", [object]. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "object" && value !== null
    ? `a ${value.constructor?.name ?? "object"}`
    : String(value);
}
