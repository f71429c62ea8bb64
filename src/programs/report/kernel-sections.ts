/** The machine, its kernel, and the sysctls that decide about MPTCP. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { arch, version as kernelVersion, release, uptime } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { table } from "../../base/command-line/terminal.ts";
import { codeOf } from "../../base/errors.ts";
import type { Section } from "./section.ts";

export const kernelSection: Section = {
  name: "kernel",
  title: "the kernel, its build options, and the system",
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
      notes: [`the kernel's build options are not known: there is no ${places.join(", no ")}`],
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

/**
 * The sysctls that decide about MPTCP. They are named one by one: others hold secrets (net.ipv4.tcp_fastopen_key,
 * net.ipv6.conf.*.stable_secret).
 *
 * @param root stands in for /proc/sys in tests
 */
export function sysctlSection(root = "/proc/sys"): Section {
  return {
    name: "sysctls",
    title: "sysctls of MPTCP, TCP and IP; of interfaces, what differs from net.*.conf.default",
    gather() {
      const values: [string, string][] = [];
      const refused: string[] = [];
      const read = (parts: readonly string[]): string | undefined => {
        try {
          // Synchronous for the sake of the namespace: see kernel/sysctl.ts.
          return readFileSync(join(root, ...parts), "utf8")
            .trim()
            .replaceAll(/\s+/g, " ");
        } catch (error) {
          if (codeOf(error) !== "ENOENT") refused.push(`${parts.join(".")} (${codeOf(error)})`);
          return undefined;
        }
      };
      const add = (parts: readonly string[], value: string | undefined = read(parts)): void => {
        if (value !== undefined) values.push([parts.join("."), value]);
      };
      for (const name of namesIn(join(root, "net/mptcp"))) add(["net", "mptcp", name]);
      for (const name of single) add(name.split("."));
      for (const [family, names] of perInterface) {
        const base = ["net", family, "conf"];
        const devices = namesIn(join(root, ...base)).filter((name) => name !== "all" && name !== "default");
        for (const name of names) {
          const usual = read([...base, "default", name]);
          add([...base, "all", name]);
          add([...base, "default", name], usual);
          for (const device of devices) {
            const value = read([...base, device, name]);
            if (value !== usual) add([...base, device, name], value);
          }
        }
      }
      return {
        text: values.map(([name, value]) => `${name} = ${value}\n`).join(""),
        data: Object.fromEntries(values),
        notes: refused.length === 0 ? [] : [`could not be read: ${refused.join(", ")}`],
      };
    },
  };
}

const single = [
  ...["core.default_qdisc", "core.rmem_max", "core.wmem_max", "core.somaxconn"].map((name) => `net.${name}`),
  ...[
    ...["ip_forward", "fib_multipath_hash_policy", "fwmark_reflect", "nexthop_compat_mode"],
    ...["tcp_abort_on_overflow", "tcp_congestion_control", "tcp_available_congestion_control", "tcp_ecn"],
    ...[
      "tcp_fastopen",
      "tcp_fwmark_accept",
      "tcp_keepalive_time",
      "tcp_l3mdev_accept",
      "tcp_max_syn_backlog",
    ],
    ...["tcp_mtu_probing", "tcp_no_metrics_save", "tcp_retries1", "tcp_retries2", "tcp_rmem", "tcp_sack"],
    ...["tcp_synack_retries", "tcp_syncookies", "tcp_syn_retries", "tcp_timestamps", "tcp_user_timeout"],
    ...["tcp_window_scaling", "tcp_wmem"],
  ].map((name) => `net.ipv4.${name}`),
];

const perInterface = [
  ["ipv4", ["rp_filter", "arp_announce", "arp_filter", "arp_ignore", "forwarding", "src_valid_mark"]],
  ["ipv6", ["disable_ipv6", "accept_ra", "addr_gen_mode", "autoconf", "forwarding", "use_tempaddr"]],
] as const;

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch {
    return [];
  }
}
