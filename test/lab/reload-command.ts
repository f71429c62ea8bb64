import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { LabProcess, SpawnOptions } from "../../src/lab/kit/lab-process.ts";
import { within } from "../../src/lab/kit/wait.ts";
import type { Machine } from "./machine.ts";

/** What it writes when it succeeds. */
export const inForce: Verdict = { code: 0, lines: ["the configuration is in force"] };

/** How `mptcpd --reload` ended, and what it wrote. */
export type Verdict = { code: number | null; lines: readonly string[] };

/** Runs `mptcpd --reload` beside a machine's mptcpd, without waiting for it. */
export function startReload(machine: Machine, env: SpawnOptions["env"] = {}): LabProcess {
  const args = ["--reload", "--runtime-dir", machine.runtimeDirectory];
  return machine.host.spawn(join(checkout, "bin/mptcpd"), args, { env: { MAINPID: undefined, ...env } });
}

export async function verdictOf(command: LabProcess, deadlineMs?: number): Promise<Verdict> {
  const { code } = await within("mptcpd --reload to end", command.exited, deadlineMs);
  return { code, lines: command.lines };
}

/** Runs it to its end. */
export function askToReload(machine: Machine, env: SpawnOptions["env"] = {}): Promise<Verdict> {
  return verdictOf(startReload(machine, env));
}
