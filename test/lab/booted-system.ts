import { execFile } from "node:child_process";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { CommandError } from "../../src/lab/kit/lab-process.ts";
import { SystemdLab, systemdProblem } from "./systemd.ts";
import { isInMachine } from "./vm.ts";

/** How a command ended, and what it wrote. */
export type Outcome = { code: number | string | undefined; stdout: string; stderr: string };

/** A system whose first process is systemd, and with which a test may do as it pleases. */
export interface BootedSystem {
  /** Node and this checkout, by the names that they have in there. */
  readonly node: string;
  readonly checkout: string;
  /** Runs a command in there to its end and gives its output; CommandError if its exit code is not 0. */
  run(command: string, ...args: readonly string[]): Promise<string>;
  /** As `run`, and gives how it ended. */
  outcome(command: string, ...args: readonly string[]): Promise<Outcome>;
  /** The name that a file of the booted system has on this machine. Links to absolute paths lead astray. */
  path(inside: string): string;
  close(): Promise<void>;
}

/** Why there can be none here, or not with these tools; false if there can. */
export async function bootedSystemProblem(tools: readonly string[] = []): Promise<string | false> {
  return isInMachine("systemd") ? false : systemdProblem(tools);
}

/** Boots one; in a virtual machine of tools/vm.mjs it is the machine itself. */
export async function bootedSystem(): Promise<BootedSystem> {
  return isInMachine("systemd") ? thisMachine : SystemdLab.boot();
}

const thisMachine: BootedSystem = {
  node: process.execPath,
  checkout,
  async run(command, ...args) {
    const { code, stdout, stderr } = await thisMachine.outcome(command, ...args);
    if (code !== 0) throw new CommandError([command, ...args].join(" "), code, stdout, stderr);
    return stdout;
  },
  outcome: (command, ...args) =>
    new Promise((resolve) => {
      const child = execFile(command, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr }),
      );
      child.stdin?.end();
    }),
  path: (inside) => inside,
  close: async () => {},
};
