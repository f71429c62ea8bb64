/** Programs under the seccomp supervisor, and its processes. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { inspect } from "node:util";
import { LabProcess } from "../../src/lab/kit/lab-process.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { launcher } from "./launcher.ts";

export type Supervisor = { pid: number; parent: number };

/** The living processes of seccomp supervisors. What they start for a moment, and the programs, are named otherwise. */
export function supervisors(): Supervisor[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [, comm, state, parent] =
        /^\d+ \((.*)\) (\w) (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
      const living = comm === "mptcpize" && state !== "Z" && state !== "X";
      return living ? { pid: Number(name), parent: Number(parent) } : [];
    } catch {
      return []; // It has ended.
    }
  });
}

/**
 * Guardian and worker, once both are in their places: a process that either starts for a moment has the same name at
 * first, and before the program is ready the launcher has it, too.
 */
export function pair(): Promise<[Supervisor, Supervisor]> {
  return waitFor("guardian and worker", () => {
    const all = supervisors();
    // The worker may have started a process of its own, and waits for that.
    const [guardian, ...others] = all.filter(({ parent }) => !all.some(({ pid }) => pid === parent));
    const worker = guardian && others.length === 0 ? all.find((one) => waitsFor(guardian, one)) : undefined;
    if (guardian && worker) return [guardian, worker];
    throw new Error(`there are ${inspect(all.map((one) => ({ ...one, call: systemCallOf(one) })))}`);
  });
}

/** Whether the system call in which the guardian is (proc_pid_syscall(5)) is waitpid() for that worker. */
function waitsFor(guardian: Supervisor, worker: Supervisor): boolean {
  const [, pid] = systemCallOf(guardian).split(" ");
  return worker.parent === guardian.pid && Number(pid) === worker.pid;
}

/** Its number and arguments, or "running", or nothing of a process that has ended. */
function systemCallOf({ pid }: Supervisor): string {
  try {
    return readFileSync(`/proc/${pid}/syscall`, "utf8");
  } catch {
    return "";
  }
}

/** Runs a command until the test ends. */
export function start(t: TestContext, [command = "", ...args]: readonly string[]): LabProcess {
  const child = new LabProcess(command, args, { env: { LD_PRELOAD: undefined } });
  t.after(() => child.kill());
  return child;
}

/**
 * Runs `supervised MODE 2` some times side by side under one supervisor, all but one in network namespaces of their
 * own, and kills guardian and worker in turn meanwhile. Each program's last line has to match.
 */
export async function stormOfKills(
  t: TestContext,
  { supervised, mode, programs, stormMs, right }: StormOptions,
): Promise<void> {
  const script = `exec 3<&0; for i in ${"1 ".repeat(programs - 1)}; do
    unshare -n ${supervised} ${mode} 2 <&3 & done; ${supervised} ${mode} 2 <&3 & wait`;
  const child = start(t, [launcher, "run", "--how=seccomp", "busybox", "sh", "-c", script]);
  await waitFor("all programs", () => child.lines.filter((line) => line === "ready").length === programs);
  let kills = 0;
  for (const end = performance.now() + stormMs; performance.now() < end; kills++) {
    const both = await pair();
    const { pid } = both[kills % 2] ?? assert.fail();
    process.kill(pid, "SIGKILL");
    await waitFor("its end", supervisors, { until: (found) => found.every((other) => other.pid !== pid) });
  }
  await pair();
  child.stdin.end();
  await child.exited;
  const results = child.lines.filter((line) => line.startsWith("mptcp "));
  assert.equal(results.length, programs, child.output);
  for (const result of results) assert.match(result, right, `after ${kills} kills`);
  assert.ok(kills > stormMs / 200, `${kills} kills`);
  t.diagnostic(`${kills} kills; ${results.join("; ")}`);
}

interface StormOptions {
  /** The compiled program. */
  readonly supervised: string;
  readonly mode: string;
  readonly programs: number;
  /** How long it lasts. */
  readonly stormMs: number;
  readonly right: RegExp;
}

/** Lets `supervised until` make a socket; gives the line that it says. */
export async function ask(child: LabProcess): Promise<string> {
  const from = child.lines.length;
  child.stdin.write("x");
  const [line] = await child.waitForLine(/^(protocol|error) \d+$/, { from });
  return line;
}

/** Runs `stepped` or its like under the supervisor, which it traces; gives the line by which it says what it saw. */
export async function stepThrough(t: TestContext, stepped: string, args: readonly string[]): Promise<string> {
  const child = start(t, [launcher, "run", "--how=seccomp", stepped, ...args]);
  await child.waitForLine(/^ready$/);
  const [, worker] = await pair();
  child.stdin.write(`${worker.pid}\n`);
  const [line] = await child.waitForLine(/.+/, { from: 1 });
  await child.kill();
  await waitFor("no supervisor", supervisors, { until: (found) => found.length === 0 });
  return line;
}
