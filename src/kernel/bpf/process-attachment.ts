/** The BPF way for one process and its children: a cgroup of their own. */

import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesOfText } from "../../base/bytes.ts";
import { messageOf } from "../../base/errors.ts";
import { Cgroups } from "../cgroups.ts";
import { type AttachOptions, attachCgroup, detachCgroups, requireRoot } from "./attachment.ts";
import { BpfError } from "./syscalls.ts";

/**
 * Moves a process into a new cgroup below its own, and attaches that.
 *
 * @returns the directory of the cgroup, which somebody has to remove when it is empty, and what attachCgroup does
 * @throws BpfError; the process is where it was then
 */
export async function attachProcess(
  pid: number,
  options?: AttachOptions,
): Promise<{ directory: string; missing: BpfError | undefined }> {
  requireRoot();
  const directory = join(new Cgroups().of(pid), `mptcpize-${pid}`);
  explained(`make ${directory}`, () => mkdirSync(bytesOfText(directory)));
  try {
    const missing = await attachCgroup(directory, options);
    explained(`move process ${pid} to ${directory}`, () =>
      writeFileSync(bytesOfText(join(directory, "cgroup.procs")), String(pid)),
    );
    return { directory, missing };
  } catch (error) {
    rmdirSync(bytesOfText(directory));
    await sweepCgroups().catch(() => {});
    throw error;
  }
}

/** Takes out the cgroups that ended, and the program with the last of them. */
export function sweepCgroups(): Promise<void> {
  return detachCgroups(() => false);
}

function explained(what: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    const reason = messageOf(cause);
    throw new BpfError("CGROUP", `cannot ${what}: ${reason}`, cause);
  }
}
