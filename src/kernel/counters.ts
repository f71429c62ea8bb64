/** The kernel's counters of a network namespace: /proc/net/netstat, snmp and snmp6 (proc(5), nstat(8)). */
import { openSync, readFileSync, readSync } from "node:fs";

/** By group ("MPTcpExt") and name ("MPCapableSYNTX"). They count from the namespace's beginning. */
export type Counters = ReadonlyMap<string, ReadonlyMap<string, bigint>>;

/** Reads the file of /proc/net that has the groups; synchronous for the sake of the namespace (sysctl.ts). */
export function readCounters(file: "netstat" | "snmp", directory = "/proc/self/net"): Counters {
  return parseCounters(readFileSync(`${directory}/${file}`, "utf8"));
}

/** Bytes: several times as many as netstat has today. */
const LARGEST_NETSTAT = 32 * 1024;

/**
 * Gives a function that says how many REMOVE_ADDR (RFC 8684, 3.4.2) the kernel has sent; undefined where the kernel
 * does not count them, or does not show that. Linux peers drop one that comes before they have dealt with the one
 * before, and then keep the subflows from that address for ever; no kernel sends one again (net/mptcp/pm.c,
 * mptcp_pm_rm_addr_received).
 *
 * It keeps the file open, and so stays with the network namespace of the first call: to open it costs more than to read
 * it.
 */
export function removalCounter(directory = "/proc/self/net"): () => bigint | undefined {
  const buffer = Buffer.allocUnsafe(LARGEST_NETSTAT);
  let fd: number | undefined;
  return () => {
    try {
      fd ??= openSync(`${directory}/netstat`, "r");
      const length = readSync(fd, buffer, 0, LARGEST_NETSTAT, 0);
      return findCounter(buffer.toString("latin1", 0, length), "MPTcpExt", "RmAddrTx");
    } catch {
      return undefined;
    }
  };
}

/** One counter of a text, without a text for each of the hundreds of others. */
export function findCounter(text: string, group: string, name: string): bigint | undefined {
  const start = text.startsWith(`${group}:`) ? 0 : text.indexOf(`\n${group}:`) + 1;
  if (start === 0 && !text.startsWith(`${group}:`)) return undefined;
  const endOfNames = text.indexOf("\n", start);
  const at = `${text.slice(start, endOfNames)} `.indexOf(` ${name} `);
  if (at === -1) return undefined;
  // As many spaces are before its value as before its name.
  let value = endOfNames;
  for (let space = start; space < start + at; value = text.indexOf(" ", value + 1))
    space = text.indexOf(" ", space + 1);
  return numberOf(/^ (-?\d+)/.exec(text.slice(value, value + LONGEST_VALUE))?.[1]);
}

/** Characters of a space, a sign and 64 bits. */
const LONGEST_VALUE = 22;

/** Two lines for each group: names, then values. */
export function parseCounters(text: string): Counters {
  const groups = new Map<string, Map<string, bigint>>();
  const lines = text.split("\n");
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [group = "", ...names] = (lines[at] ?? "").split(/\s+/);
    const [, ...values] = (lines[at + 1] ?? "").split(/\s+/);
    const counters = names.map((name, index): [string, bigint] => [name, numberOf(values[index])]);
    groups.set(group.replace(/:$/, ""), new Map(counters));
  }
  return groups;
}

/** Some are signed: Tcp's MaxConn is -1. */
function numberOf(text = ""): bigint {
  return /^-?\d+$/.test(text) ? BigInt(text) : 0n;
}
