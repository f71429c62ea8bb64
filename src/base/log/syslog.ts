import { cut, oneLine } from "../text.ts";
import { type Entry, severities } from "./log.ts";

export const syslogSocket = "/dev/log";

/** RFC 3164, 4.1.1: facility 3, system daemons. */
const daemonFacility = 3;

/** `<pri>mptcpd[pid]: message` (RFC 3164); the time is left to the receiver, as every /dev/log reader allows. */
export function encodeSyslog({ level, message }: Entry): Uint8Array {
  const priority = daemonFacility * 8 + severities[level];
  return Buffer.from(`<${priority}>mptcpd[${process.pid}]: ${cut(oneLine(message), 8192)}`);
}
