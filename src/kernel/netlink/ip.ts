/**
 * IP addresses as text. One address has one text, the one that inet_ntop(3), ip(8) and RFC 5952 give, so text may be
 * compared: "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1".
 */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { codec } from "./codec.ts";
import { NetlinkProtocolError } from "./errors.ts";
import { Input, type Output } from "./wire.ts";

export const ipv4 = codec<string>({
  label: "IPv4 address",
  size: 4,
  shape: { kind: "ipv4" },
  accepts: (value): value is string => typeof value === "string" && isIPv4(value),
  read: readIpv4,
  write: writeIpv4,
});

export const ipv6 = codec<string>({
  label: "IPv6 address",
  size: 16,
  shape: { kind: "ipv6" },
  accepts: (value): value is string => typeof value === "string" && isIPv6(value) && !value.includes("%"),
  read: readIpv6,
  write: (output, value) => output.append(ipBytes(value)),
});

/** Either; the length tells. */
export const ip = codec<string>({
  label: "IP address",
  shape: { kind: "ip" },
  accepts: (value): value is string => ipv4.accepts(value) || ipv6.accepts(value),
  read(input, start, end) {
    const length = end - start;
    if (length === 4) return readIpv4(input, start);
    if (length === 16) return readIpv6(input, start);
    throw new NetlinkProtocolError("an IP address has 4 or 16 bytes", { offset: start, length });
  },
  write: (output, value) => output.append(ipBytes(value)),
});

/** 4 for "10.0.0.1", 6 for "::1"; the text must be an address. */
export function ipFamily(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** The one text of an address that is written in any way; undefined if it is none. Zones ("%eth0") are refused. */
export function canonicalIp(text: string): string | undefined {
  // Of IPv4 addresses there is only one way of writing.
  if (isIPv4(text)) return text;
  return ip.accepts(text) ? ipText(ipBytes(text)) : undefined;
}

/** The 4 or 16 bytes, network byte order. Throws if the text is no address. */
export function ipBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  // ipaddr.js reads "::10.0.0.1" as "::ffff:10.0.0.1", so it is never given a dotted tail.
  const [, head, quad] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  if (head === undefined || quad === undefined) return Uint8Array.from(ipaddr.parse(address).toByteArray());
  const tail = ipaddr.IPv4.parse(quad).toByteArray();
  const [a = 0, b = 0, c = 0, d = 0] = tail;
  const hex = `${head}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  return Uint8Array.from(ipaddr.IPv6.parse(hex).toByteArray());
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

/** By hand, as reading is: what every request has is worth it. */
function writeIpv4(output: Output, address: string): void {
  const at = output.reserve(4);
  let byte = 0;
  let index = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      output.view.setUint8(at + index++, byte);
      byte = 0;
    } else byte = 10 * byte + code - ZERO;
  }
  output.view.setUint8(at + index, byte);
}

const DOT = ".".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

function readIpv4({ view }: Input, start: number): string {
  return `${view.getUint8(start)}.${view.getUint8(start + 1)}.${view.getUint8(start + 2)}.${view.getUint8(start + 3)}`;
}

/**
 * RFC 5952, and a dotted quad at the end of ::ffff:0:0/96 (mapped) and of ::/96 but for ::/112 (compatible), as
 * inet_ntop(3). By hand: ipaddr.js takes three times as long for what every IPv6 address message needs.
 */
function readIpv6(input: Input, start: number): string {
  const { view } = input;
  const group = (index: number) => view.getUint16(start + 2 * index, false);
  const zeros = longestZeros(group);
  const quad = zeros.start === 0 && (zeros.length === 6 || (zeros.length === 5 && group(5) === 0xffff));
  let text = "";
  for (let index = 0; index < 8; index++) {
    if (index === zeros.start) {
      text += "::";
      index += zeros.length - 1;
      continue;
    }
    if (index > 0 && !text.endsWith("::")) text += ":";
    if (quad && index === 6) return text + readIpv4(input, start + 12);
    text += group(index).toString(16);
  }
  return text;
}

/** The first of the longest runs of zero groups; a single one is no run. */
function longestZeros(group: (index: number) => number): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  for (let index = 0; index < 8; index++) {
    let end = index;
    while (end < 8 && group(end) === 0) end++;
    if (end - index > best.length) best = { start: index, length: end - index };
    index = end;
  }
  return best;
}
