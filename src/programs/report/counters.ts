import { type Counters, readCounters } from "../../kernel/counters.ts";
import type { Section } from "./section.ts";

export const countersSection: Section = {
  name: "counters",
  title: "MPTCP's and TCP's counters of this network namespace that are not 0",
  gather() {
    const all: Counters = new Map([...readCounters("netstat"), ...readCounters("snmp")]);
    const groups = ["MPTcpExt", "TcpExt", "Tcp"].map((group): [string, [string, bigint][]] => [
      group,
      [...(all.get(group) ?? [])].filter(([, value]) => value !== 0n),
    ]);
    const lines = groups.flatMap(([group, counters]) =>
      counters.map(([name, value]) => `${`${group}${name}`.padEnd(40)} ${value}\n`),
    );
    return {
      text: lines.join(""),
      data: Object.fromEntries(groups.map(([group, counters]) => [group, Object.fromEntries(counters)])),
      notes: all.has("MPTcpExt") ? [] : ["this kernel counts nothing of MPTCP: it has none"],
    };
  },
};
