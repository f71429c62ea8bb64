/** `mptcpize attach`: what a unit's start, and the launcher with its watcher, call for the BPF way. */
import { attachProcess, sweepCgroups } from "../kernel/bpf/process.ts";
import { attachOwnUnit } from "../services/bpf-units.ts";
import type { Context } from "./context.ts";
import { exitCodes, UsageError } from "./exit.ts";

export type AttachOptions = {
  /** For this process and its children; else for the unit that this is called in. */
  readonly pid?: string;
  /** Only take out what ended. */
  readonly sweep?: boolean;
};

/** Prints the cgroup that it made for a process. */
export async function runAttach({ pid, sweep = false }: AttachOptions, context: Context): Promise<number> {
  if (sweep) await sweepCgroups();
  else if (pid === undefined) await attachOwnUnit();
  else context.write(`${await attachProcess(parsePid(pid))}\n`);
  return exitCodes.ok;
}

function parsePid(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new UsageError(`${text} is no process id`, exitCodes.usage);
  return Number(text);
}
