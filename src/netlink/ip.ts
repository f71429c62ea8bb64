import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { codec } from "./codec.ts";
import { NetlinkProtocolError } from "./errors.ts";
import type { Input } from "./wire.ts";

/**
 * IP addresses as text. One address has one text, the one that inet_ntop(3), ip(8) and RFC 5952 give, so text may be
 * compared: "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1".
 */

export const ipv4 = codec<string>({
  label: "IPv4 address",
  size: 4,
  shape: { kind: "ipv4" },
  accepts: (value): value is string => typeof value === "string" && isIPv4(value),
  read: readIpv4,
  write: (output, value) => output.append(ipBytes(value)),
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
  return ip.accepts(text) ? ipText(ipBytes(text)) : undefined;
}

/** The 4 or 16 bytes, network byte order. Throws if the text is no address. */
export function ipBytes(address: string): Uint8Array {
  // ipaddr.js reads "::10.0.0.1" as "::ffff:10.0.0.1", so it is never given a dotted tail.
  const [, head, quad] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  if (head === undefined || quad === undefined) return Uint8Array.from(ipaddr.parse(address).toByteArray());
  const tail = ipaddr.IPv4.parse(quad).toByteArray();
  const [a = 0, b = 0, c = 0, d = 0] = tail;
  const hex = `${head}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  return Uint8Array.from(ipaddr.IPv6.parse(hex).toByteArray());
}

export function ipText(bytes: Uint8Array): string {
  return bytes.length === 4 ? ipaddr.fromByteArray([...bytes]).toString() : ipv6Text([...bytes]);
}

function readIpv4({ view }: Input, start: number): string {
  return `${view.getUint8(start)}.${view.getUint8(start + 1)}.${view.getUint8(start + 2)}.${view.getUint8(start + 3)}`;
}

function readIpv6({ buffer }: Input, start: number): string {
  return ipv6Text([...buffer.subarray(start, start + 16)]);
}

function ipv6Text(bytes: number[]): string {
  const text = new ipaddr.IPv6(bytes).toRFC5952String();
  if (!text.startsWith("::")) return text;
  // As inet_ntop: ::ffff:0:0/96 (mapped) and ::/96 (compatible, but :: and ::1 and all of ::/112) end in a dotted quad.
  const zeros = bytes.findIndex((byte) => byte !== 0);
  const mapped = zeros === 10 && bytes[10] === 0xff && bytes[11] === 0xff;
  const compatible = zeros === 12 || zeros === 13;
  if (!mapped && !compatible) return text;
  return `${mapped ? "::ffff:" : "::"}${bytes.slice(12).join(".")}`;
}
