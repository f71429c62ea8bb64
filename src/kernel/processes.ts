/** Processes as proc(5) shows them. What only their owner and root may see is undefined for anybody else. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { textOfBytes } from "../base/bytes.ts";
import { hasCode } from "../base/errors.ts";
import { splitAssignment } from "../base/text.ts";

export type Process = {
  readonly pid: number;
  /** As ps has it: the first 15 bytes of the program's name, or what it calls itself. */
  readonly name: string;
  /** Milliseconds since 1970, to 10 ms. */
  readonly startedAt: number;
  /** The control group by which systemd knows it: "/system.slice/nginx.service". */
  readonly cgroup: string;
  /** The inode by which the kernel knows its network namespace. */
  readonly networkNamespace: number | undefined;
  /** The inodes of the sockets that it has open. */
  readonly sockets: ReadonlySet<number> | undefined;
};

export class Processes {
  readonly #proc: string;

  /** `proc` stands in for /proc in tests. */
  constructor(proc = "/proc") {
    this.#proc = proc;
  }

  /** Those that run, but for the kernel's own threads; by pid. */
  list(): Process[] {
    const pids = readdirSync(this.#proc).filter((name) => /^\d+$/.test(name));
    return pids
      .map(Number)
      .toSorted((a, b) => a - b)
      .flatMap((pid) => this.find(pid) ?? []);
  }

  /** Undefined if it has ended, or is a thread of the kernel. */
  find(pid: number): Process | undefined {
    const stat = parseStat(this.#read(pid, "stat") ?? "");
    const cgroups = this.#read(pid, "cgroup");
    if (stat === undefined || cgroups === undefined) return undefined;
    return {
      pid,
      name: stat.name,
      startedAt: this.#bootedAt() + stat.startTicks * msPerTick,
      cgroup: managerCgroup(cgroups),
      networkNamespace: inodeIn(this.#link(pid, "ns/net")),
      sockets: this.#sockets(pid),
    };
  }

  /** A file of the process' network namespace, for setns(2). */
  networkNamespaceFile(pid: number): string {
    return join(this.#proc, String(pid), "ns/net");
  }

  /** The environment at the start of its program. Undefined if that cannot be seen. */
  environment(pid: number): ReadonlyMap<string, string> | undefined {
    const entries = this.#read(pid, "environ")
      ?.split("\0")
      .filter((entry) => entry.includes("="));
    return entries && new Map(entries.map(splitAssignment));
  }

  /** The files that are mapped into it, libraries among them. Undefined if that cannot be seen. */
  mappedFiles(pid: number): ReadonlySet<string> | undefined {
    const maps = this.#read(pid, "maps");
    if (maps === undefined) return undefined;
    // proc_pid_maps(5): the path is the last field, and begins with a slash; a file that was replaced is "(deleted)".
    const paths = maps.split("\n").map((line) => /\/.*$/.exec(line)?.[0].replace(/ \(deleted\)$/, ""));
    return new Set(paths.filter((path) => path !== undefined));
  }

  #bootedAt(): number {
    const uptime = readFileSync(join(this.#proc, "uptime"), "utf8").split(" ")[0];
    return Date.now() - Number(uptime) * 1000;
  }

  #sockets(pid: number): ReadonlySet<number> | undefined {
    const directory = join(this.#proc, String(pid), "fd");
    const names = orIfUnseen(() => readdirSync(directory));
    if (names === undefined) return undefined;
    const targets = names.map((name) => this.#link(pid, join("fd", name)) ?? "");
    const inodes = targets.filter((target) => target.startsWith("socket:")).map(inodeIn);
    return new Set(inodes.filter((inode) => inode !== undefined));
  }

  #read(pid: number, file: string): string | undefined {
    return orIfUnseen(() => textOfBytes(readFileSync(join(this.#proc, String(pid), file))));
  }

  #link(pid: number, file: string): string | undefined {
    return orIfUnseen(() => readlinkSync(join(this.#proc, String(pid), file)));
  }
}

/** USER_HZ, which is 100 on every architecture that Node runs on (include/asm-generic/param.h). */
const msPerTick = 10;

const PF_KTHREAD = 0x00200000;

/** proc_pid_stat(5). The name stands in parentheses, and may hold some itself. */
function parseStat(text: string): { name: string; startTicks: number } | undefined {
  const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
  // From field 3 on.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [flags, startTicks] = [Number(fields[9 - 3]), Number(fields[22 - 3])];
  return Number.isNaN(startTicks) || (flags & PF_KTHREAD) !== 0 ? undefined : { name, startTicks };
}

/** cgroups(7): "0::PATH" is version 2. Where systemd uses version 1, everything is at the root of that. */
function managerCgroup(text: string): string {
  const hierarchies = text.matchAll(/^\d+:([^:]*):(.*)$/gm);
  const paths = new Map([...hierarchies].map(([, controllers = "", path = ""]) => [controllers, path]));
  const unified = paths.get("") ?? "/";
  return unified === "/" ? (paths.get("name=systemd") ?? unified) : unified;
}

/** "socket:[4711]", "net:[4026531840]" */
function inodeIn(target = ""): number | undefined {
  const digits = /\[(\d+)\]$/.exec(target)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A process may end at any time, and has a right not to be looked into. */
function orIfUnseen<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, ...unseen)) return undefined;
    throw error;
  }
}

const unseen: readonly string[] = ["ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL"];
