/** The machine and its kernel. */

import { existsSync, readFileSync } from "node:fs";
import { arch, version as kernelVersion, release, uptime } from "node:os";
import { gunzipSync } from "node:zlib";
import { table } from "../../base/command-line/terminal.ts";
import { codeOf } from "../../base/errors.ts";
import type { Section } from "./section.ts";

export const kernelSection: Section = {
  name: "kernel",
  title: "the kernel, how it was built, and the system",
  gather() {
    const config = readKernelConfig();
    const facts = {
      release: release(),
      version: kernelVersion(),
      architecture: arch(),
      tainted: readText("/proc/sys/kernel/tainted") ?? "?",
      uptime: `${Math.round(uptime())} s`,
      system: prettyName() ?? "?",
      node: process.version,
    };
    return {
      text: table(Object.entries(facts)) + config.lines.map((line) => `${line}\n`).join(""),
      data: { ...facts, config: config.lines },
      notes: config.notes,
    };
  },
};

/** Options of the kernel's build that MPTCP depends on or goes by. */
const wanted = [
  /^(# )?CONFIG_(MPTCP\w*|INET_MPTCP_DIAG|INET_DIAG|INET_TCP_DIAG|IPV6|SYN_COOKIES|NET_NS)[= ]/,
  /^(# )?CONFIG_(IP_MULTIPLE_TABLES|IPV6_MULTIPLE_TABLES|SECCOMP_FILTER|BPF_SYSCALL|DEBUG_INFO_BTF|CGROUP_BPF)[= ]/,
  /^CONFIG_(TCP_CONG_\w+|DEFAULT_TCP_CONG)=/,
];

function readKernelConfig(): { lines: string[]; notes: string[] } {
  const plain = `/boot/config-${release()}`;
  const places = ["/proc/config.gz", plain, `/lib/modules/${release()}/config`];
  const place = places.find((path) => existsSync(path));
  if (place === undefined)
    return {
      lines: [],
      notes: [`how the kernel was built is not known: there is no ${places.join(", no ")}`],
    };
  try {
    const bytes = readFileSync(place);
    const text = (place.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
    return {
      lines: text.split("\n").filter((line) => wanted.some((option) => option.test(line))),
      notes: [],
    };
  } catch (error) {
    return { lines: [], notes: [`${place} cannot be read: ${codeOf(error) ?? "it is damaged"}`] };
  }
}

/** os-release(5) */
function prettyName(): string | undefined {
  const text = readText("/etc/os-release") ?? readText("/usr/lib/os-release") ?? "";
  return /^PRETTY_NAME=["']?([^"'\n]*)/m.exec(text)?.[1];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
