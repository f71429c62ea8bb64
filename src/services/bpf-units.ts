/** The BPF way for units: at each start, systemd gives the unit a cgroup that has the unit's name. */
import { basename, dirname } from "node:path";
import { type AttachOptions, attachCgroup, detachCgroups } from "../kernel/bpf/attachment.ts";
import type { BpfError } from "../kernel/bpf/syscalls.ts";
import { Cgroups } from "../kernel/cgroups.ts";

/**
 * Attaches the cgroup of the unit that this process belongs to, as an ExecStartPre= command does. Returns the result of
 * attachCgroup.
 */
export async function attachOwnUnit(options?: AttachOptions): Promise<BpfError | undefined> {
  return await attachCgroup(unitsCgroup(new Cgroups().of("self")), options);
}

/** Detaches the unit, if it is attached; for a template, all its instances. */
export async function detachUnit(unit: string): Promise<void> {
  await detachCgroups((directory) => isCgroupOfUnit(directory, unit));
}

/** Whether a cgroup belongs to the unit, or to an instance of it if the unit is a template. */
export function isCgroupOfUnit(directory: string, unit: string): boolean {
  // systemd puts "_" before names that have a meaning for the kernel (cg_escape in src/basic/cgroup-util.c).
  const name = basename(directory).replace(/^_/, "");
  const [prefix = "", suffix] = unit.split("@.");
  if (suffix === undefined) return name === unit;
  return name.startsWith(`${prefix}@`) && name.endsWith(`.${suffix}`);
}

/** With Delegate=, the unit's cgroup is left to the service: ExecStartPre= commands run in a cgroup below it. */
function unitsCgroup(directory: string): string {
  return basename(directory) === ".control" ? dirname(directory) : directory;
}
