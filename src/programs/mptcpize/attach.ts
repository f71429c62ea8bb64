/** `mptcpize attach`: what a unit's start, and the launcher with its watcher, call for the BPF way. */
import type { AttachOptions as BpfOptions } from "../../kernel/bpf/attachment.ts";
import { attachProcess, sweepCgroups } from "../../kernel/bpf/process-attachment.ts";
import type { BpfError } from "../../kernel/bpf/syscalls.ts";
import { attachOwnUnit } from "../../services/bpf-units.ts";
import { exitCodes, type StandardStreams, UsageError } from "./output.ts";

export type AttachOptions = {
  /** For this process and its children; else for the unit that this is called in. */
  readonly pid?: string;
  /** Only take out what ended. */
  readonly sweep?: boolean;
  /** Say what the kernel does not take. */
  readonly debug?: boolean;
  /** Leave the socket options that MPTCP refuses to the kernel. */
  readonly refuseOptions?: boolean;
};

/** Prints the cgroup that it made for a process. */
export async function runAttach(options: AttachOptions, streams: StandardStreams): Promise<number> {
  const { pid, sweep = false, debug = false, refuseOptions = false } = options;
  if (sweep) {
    await sweepCgroups();
    return exitCodes.ok;
  }
  const answers = { answersOptions: !refuseOptions };
  const missing = pid === undefined ? await attachOwnUnit(answers) : await attachPid(pid, answers, streams);
  if (missing !== undefined && debug)
    streams.warn(`socket options that MPTCP refuses stay refused: ${missing.message}`);
  return exitCodes.ok;
}

async function attachPid(
  text: string,
  answers: BpfOptions,
  streams: StandardStreams,
): Promise<BpfError | undefined> {
  const { directory, missing } = await attachProcess(parsePid(text), answers);
  streams.write(`${directory}\n`);
  return missing;
}

function parsePid(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new UsageError(`${text} is no process id`, exitCodes.usage);
  return Number(text);
}
