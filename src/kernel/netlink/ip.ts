/**
 * IP addresses as text. One address has one text, the one that inet_ntop(3), ip(8) and RFC 5952 give, so text may be
 * compared: "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1".
 */
import { NetlinkProtocolError } from "./errors.ts";
import { Input } from "./wire.ts";

/** 4 for "10.0.0.1", 6 for "::1"; the text must be an address. */
export function ipFamily(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** The one text of an address that is written in any way; undefined if it is none. Zones ("%eth0") are refused. */
export function canonicalIp(text: string): string | undefined {
  // Of IPv4 addresses there is only one way of writing.
  if (parseIpv4(text, 0, parsed, 0)) return text;
  return parseIpv6(text, parsed, 0) ? ipText(parsed) : undefined;
}

/** The 4 or 16 bytes, network byte order. Throws if the text is no address. */
export function ipBytes(address: string): Uint8Array {
  const length = parseIp(address, parsed, 0);
  if (length === 0) throw new RangeError(`${JSON.stringify(address)} is no IP address`);
  return parsed.slice(0, length);
}

/** "10.0.0.1" of "::ffff:10.0.0.1", as which a dual-stack socket has IPv4 addresses; others as they are. */
export function unmapped(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}

/** The other way round. */
export function mapped(address: string): string {
  return address.includes(":") ? address : `::ffff:${address}`;
}

export function ipText(bytes: Uint8Array): string {
  const input = new Input(bytes);
  return bytes.length === 4 ? readIpv4(input, 0) : readIpv6(input, 0);
}

/** The address that was parsed last. */
const parsed = new Uint8Array(16);

// Text is parsed as inet_pton(3) does it. By hand: the first net.isIPv6() compiles a regular expression, which takes
// milliseconds, and ipaddr.js is slow and takes other texts for addresses, too.

const ZERO = 48;
const NINE = 57;
const DOT = 46;
const COLON = 58;

/** Writes the bytes of an address to `bytes`, from `at` on: 4 or 16. 0: the text is no address. */
export function parseIp(text: string, bytes: Uint8Array, at: number): 0 | 4 | 16 {
  if (parseIpv4(text, 0, bytes, at)) return 4;
  return parseIpv6(text, bytes, at) ? 16 : 0;
}

/** Four numbers up to 255 in decimal, without zeros at their front, from `start` to the end of the text. */
export function parseIpv4(text: string, start: number, bytes: Uint8Array, at: number): boolean {
  let count = 0;
  let digits = 0;
  let byte = 0;
  for (let index = start; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= ZERO && code <= NINE) {
      if (digits > 0 && byte === 0) return false;
      byte = 10 * byte + code - ZERO;
      if (byte > 255) return false;
      digits++;
    } else {
      if (code !== DOT || digits === 0 || count === 3) return false;
      bytes[at + count++] = byte;
      digits = 0;
      byte = 0;
    }
  }
  if (digits === 0 || count !== 3) return false;
  bytes[at + 3] = byte;
  return true;
}

/** Groups of up to four hexadecimal digits, the last two perhaps as a dotted quad; "::" for zeros, once. */
export function parseIpv6(text: string, bytes: Uint8Array, at: number): boolean {
  const end = at + 16;
  let to = at;
  /** Where "::" stands. */
  let gap = -1;
  let index = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false;
    gap = to;
    index = 2;
  }
  while (index < text.length) {
    const start = index;
    let group = 0;
    let code = text.charCodeAt(index);
    for (let digit = digitOf(code); digit !== -1; digit = digitOf(code)) {
      group = 16 * group + digit;
      code = text.charCodeAt(++index);
    }
    if (code === DOT) {
      if (to > end - 4 || !parseIpv4(text, start, bytes, to)) return false;
      to += 4;
      break;
    }
    const digits = index - start;
    if (digits === 0 || digits > 4 || to > end - 2) return false;
    bytes[to++] = group >> 8;
    bytes[to++] = group;
    if (index === text.length) break;
    if (code !== COLON) return false;
    index++;
    if (text.charCodeAt(index) === COLON) {
      if (gap !== -1) return false;
      gap = to;
      index++;
    } else if (index === text.length) return false;
  }
  if (gap === -1) return to === end;
  if (to === end) return false;
  bytes.copyWithin(end - (to - gap), gap, to);
  bytes.fill(0, gap, end - (to - gap));
  return true;
}

/** -1: no hexadecimal digit. */
function digitOf(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const letter = code | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Of 4 or 16 bytes. `attribute` is for the error: the attribute that it is read for. */
export function readIp(input: Input, start: number, end: number, attribute?: string): string {
  const length = end - start;
  if (length === 4) return readIpv4(input, start);
  if (length === 16) return readIpv6(input, start);
  throw new NetlinkProtocolError("an IP address has 4 or 16 bytes", { attribute, offset: start, length });
}

export function readIpv4({ view }: Input, start: number): string {
  return `${view.getUint8(start)}.${view.getUint8(start + 1)}.${view.getUint8(start + 2)}.${view.getUint8(start + 3)}`;
}

/**
 * RFC 5952, and a dotted quad at the end of ::ffff:0:0/96 (mapped) and of ::/96 but for ::/112 (compatible), as
 * inet_ntop(3).
 */
export function readIpv6(input: Input, start: number): string {
  const { view } = input;
  // The first of the longest runs of zero groups; a single one is no run.
  let gap = -1;
  let zeros = 1;
  for (let index = 0, run = 0; index < 8; index++) {
    run = view.getUint16(start + 2 * index) === 0 ? run + 1 : 0;
    if (run > zeros) {
      zeros = run;
      gap = index + 1 - run;
    }
  }
  const quad = gap === 0 && (zeros === 6 || (zeros === 5 && view.getUint16(start + 10) === 0xffff));
  let text = "";
  for (let index = 0; index < (quad ? 6 : 8); index++) {
    if (index === gap) {
      text += "::";
      index += zeros - 1;
    } else {
      if (index > 0 && index !== gap + zeros) text += ":";
      text += view.getUint16(start + 2 * index).toString(16);
    }
  }
  if (!quad) return text;
  return `${text}${zeros === 5 ? ":" : ""}${readIpv4(input, start + 12)}`;
}
