/** Programs under the seccomp supervisor, and its processes. */
import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { LabProcess } from "./process.ts";
import { waitFor } from "./wait.ts";

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
 * Guardian and worker, once both are in their places: seen twice, as a process that either starts for a moment has the
 * same name at first, and before the program is ready the launcher has it, too.
 */
export function pair(): Promise<[Supervisor, Supervisor]> {
  let seen = "";
  return waitFor("guardian and worker", () => {
    const all = supervisors();
    // The worker may be starting a process of its own.
    const [guardian, ...others] = all.filter(({ parent }) => !all.some(({ pid }) => pid === parent));
    const [worker, ...more] = all.filter(({ parent }) => parent === guardian?.pid);
    if (!guardian || !worker || others.length > 0 || more.length > 0) return undefined;
    const before = seen;
    seen = `${guardian.pid} ${worker.pid}`;
    return seen === before ? ([guardian, worker] satisfies [Supervisor, Supervisor]) : undefined;
  });
}

/** Runs a command until the test ends. */
export function start(t: TestContext, [command = "", ...args]: readonly string[]): LabProcess {
  const child = new LabProcess(command, args, { env: { LD_PRELOAD: undefined } });
  t.after(() => child.kill());
  return child;
}

/** Lets `supervised until` make a socket; gives the line that it says. */
export async function ask(child: LabProcess): Promise<string> {
  const from = child.lines.length;
  child.stdin.write("x");
  const [line] = await child.waitForLine(/^(protocol|error) \d+$/, { from });
  return line;
}
