/** Control groups of version 2, cgroups(7): where they are mounted, who is in which. */

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { bytesOfText, textOfBytes } from "../base/bytes.ts";
import { hasCode } from "../base/errors.ts";

/** `code` is "CGROUP". */
class CgroupError extends Error {
  override readonly name = "CgroupError";
  readonly code = "CGROUP";
}

export class Cgroups {
  /** The directory that the hierarchy is mounted at, or the part of it that is to be seen here. */
  readonly mount: string;
  readonly #root: string;
  readonly #proc: string;

  /** `proc` stands in for /proc in tests. Throws a CgroupError where only version 1 is mounted, or none. */
  constructor(proc = "/proc") {
    const mounts = readFileSync(join(proc, "self/mountinfo"), "utf8");
    const found = mounts.split("\n").find((line) => line.includes(" - cgroup2 "));
    // proc_pid_mountinfo(5): id, parent's id, device, root within the file system, mount point, …
    const [, , , root, mount] = found?.split(" ") ?? [];
    if (root === undefined || mount === undefined)
      throw new CgroupError("no cgroups of version 2 are mounted here: it takes them (mount -t cgroup2)");
    this.mount = unescapeOctal(mount);
    this.#root = unescapeOctal(root);
    this.#proc = proc;
  }

  /** The directory of the cgroup that a process is in. Throws a CgroupError if there is none to be seen. */
  of(pid: number | "self"): string {
    const line = this.#read(pid)
      .split("\n")
      .find((text) => text.startsWith("0::"));
    const path = line?.slice("0::".length) ?? "";
    const within = this.#root === "/" ? "" : this.#root;
    const isVisible = `${path}/`.startsWith(`${within}/`) && !`${path}/`.includes("/../");
    const directory = join(this.mount, path.slice(within.length)).replace(/\/$/, "");
    if (!isVisible || !existsSync(bytesOfText(directory)))
      throw new CgroupError(`the cgroup ${path || "of version 2"} of process ${pid} is not to be seen here`);
    return directory;
  }

  /** Every cgroup that is to be seen, as directories by id. */
  directories(): Map<bigint, string> {
    const found = new Map<bigint, string>();
    const visit = (directory: string) => {
      // A cgroup may go at any time.
      const entries = orIfGone(() => readdirSync(bytesOfText(directory), options), []);
      const id = orIfGone(() => cgroupId(directory), undefined);
      if (id === undefined) return;
      found.set(id, directory);
      for (const entry of entries) if (entry.isDirectory()) visit(join(directory, textOfBytes(entry.name)));
    };
    const options = { withFileTypes: true, encoding: "buffer" } as const;
    visit(this.mount);
    return found;
  }

  /** Whether `directories` are all that exist: in a cgroup namespace or a container they are a part. */
  get isWhole(): boolean {
    return cgroupId(this.mount) === rootCgroupId;
  }

  #read(pid: number | "self"): string {
    try {
      return textOfBytes(readFileSync(join(this.#proc, String(pid), "cgroup")));
    } catch (cause) {
      throw new CgroupError(`there is no process ${pid}`, { cause });
    }
  }
}

/** The id of the cgroup above all others; of no other, for a namespace's root has the id that it has outside. */
export const rootCgroupId = 1n;

/** The number by which the kernel knows a cgroup as long as it runs (fs/kernfs: the inode's). */
export function cgroupId(directory: string): bigint {
  return statSync(bytesOfText(directory), { bigint: true }).ino;
}

function orIfGone<Value, Fallback>(read: () => Value, fallback: Fallback): Value | Fallback {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENODEV")) return fallback;
    throw error;
  }
}

/** proc_pid_mountinfo(5): spaces and the like are written as \040. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
