/** `mptcpize attach`: called for the BPF way, when a unit starts, by the launcher and by the launcher's watcher. */
import type { AttachOptions as BpfOptions } from "../../kernel/bpf/attachment.ts";
import { attachProcess, sweepCgroups } from "../../kernel/bpf/process-attachment.ts";
import type { BpfError } from "../../kernel/bpf/syscalls.ts";
import { attachOwnUnit } from "../../services/bpf-units.ts";
import { exitCodes, type StandardStreams, UsageError } from "./output.ts";

export type AttachOptions = {
  /** Attach this process and its children. Without it: the unit in which this command runs. */
  readonly pid?: string;
  /** Only forget cgroups that are gone. */
  readonly sweep?: boolean;
  /** Report what this kernel does not support. */
  readonly debug?: boolean;
  /** Let the kernel refuse socket options that MPTCP does not take. */
  readonly refuseOptions?: boolean;
};

/** With --pid, prints the cgroup that it made for the process. */
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
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new UsageError(`${text} is not a process id`, exitCodes.usage);
  return Number(text);
}
