/** The BPF way for units: systemd gives each start of a unit a cgroup, which bears the unit's name. */
import { basename, dirname } from "node:path";
import { type AttachOptions, attachCgroup, detachCgroups } from "../kernel/bpf/attachment.ts";
import type { BpfError } from "../kernel/bpf/syscalls.ts";
import { Cgroups } from "../kernel/cgroups.ts";

/**
 * Attaches the cgroup of the unit that this process is a part of, as ExecStartPre= is. Returns what attachCgroup does.
 */
export async function attachOwnUnit(options?: AttachOptions): Promise<BpfError | undefined> {
  return await attachCgroup(unitsCgroup(new Cgroups().of("self")), options);
}

/** Takes out the unit, if it is attached; of a template, all its instances. */
export async function detachUnit(unit: string): Promise<void> {
  await detachCgroups((directory) => isCgroupOfUnit(directory, unit));
}

/** Whether a cgroup is that of a unit, or, if the unit is a template, of an instance of it. */
export function isCgroupOfUnit(directory: string, unit: string): boolean {
  // systemd puts "_" before names that mean something to the kernel (cg_escape in src/basic/cgroup-util.c).
  const name = basename(directory).replace(/^_/, "");
  const [prefix = "", suffix] = unit.split("@.");
  if (suffix === undefined) return name === unit;
  return name.startsWith(`${prefix}@`) && name.endsWith(`.${suffix}`);
}

/** In a unit with Delegate=, systemd's own commands run in a cgroup below the unit's, to leave that to the service. */
function unitsCgroup(directory: string): string {
  return basename(directory) === ".control" ? dirname(directory) : directory;
}
