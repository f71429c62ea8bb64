/** What journald and a syslog daemon take, a datagram for each entry. */
import { cut, escapeLines, oneLine } from "../text.ts";
import { type Entry, severities } from "./log.ts";

export const journalSocket = "/run/systemd/journal/socket";

const newline = Buffer.from("\n");

/**
 * An entry in journald's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a line `NAME=value` for each field,
 * or, where the value has several lines: the name, a newline, the length as 64 bits little endian, the value.
 */
export function encodeJournal({ level, message, fields }: Entry): Uint8Array {
  const all = { PRIORITY: severities[level], SYSLOG_IDENTIFIER: "mptcpd", MESSAGE: message, ...fields };
  return Buffer.concat(
    Object.entries(all).flatMap(([name, value]) => encodeField(name, cut(escapeLines(`${value}`), 16384))),
  );
}

function encodeField(name: string, value: string): Uint8Array[] {
  if (!value.includes("\n")) return [Buffer.from(`${name}=${value}\n`)];
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return [Buffer.from(`${name}\n`), length, bytes, newline];
}

export const syslogSocket = "/dev/log";

/** RFC 3164, 4.1.1: facility 3, system daemons. */
const daemonFacility = 3;

/** `<pri>mptcpd[pid]: message` (RFC 3164); the time is left to the receiver, as every /dev/log reader allows. */
export function encodeSyslog({ level, message }: Entry): Uint8Array {
  const priority = daemonFacility * 8 + severities[level];
  return Buffer.from(`<${priority}>mptcpd[${process.pid}]: ${cut(oneLine(message), 8192)}`);
}
