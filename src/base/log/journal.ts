import { cut, escapeLines } from "../text.ts";
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
