import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { CommandError } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import type { BootedSystem, Outcome } from "./booted-system.ts";
import { SystemdKeeper } from "./systemd-keeper.ts";

export type SystemdLabOptions = {
  /** The directory of another system, to be booted in place of this machine's. */
  lower?: string;
};

/** Where the booted system has what is ours, wherever this machine has it. */
const bound = { checkout: "/opt/mptcpd", node: "/usr/local/bin/node" };

const nspawn = [
  ...["systemd-nspawn", "--quiet", "--boot", "--directory=/run/root", "--register=no", "--keep-unit"],
  ...["--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no"],
  ...["--capability=all", "--system-call-filter=bpf perf_event_open @mount @module"],
  ...["--console=read-only", `--bind-ro=${process.execPath}:${bound.node}`],
  `--bind-ro=${checkout}:${bound.checkout}`,
  ...["--", "--unit=basic.target"],
];

const environment = {
  HOME: "/root",
  LANG: "C.UTF-8",
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  TERM: "dumb",
  // Keeps bash from reading ~/.bashrc: see environmentOfTests (tools/test-runtime.mjs).
  SHLVL: "1",
};

const bootDeadlineMs = 60_000;
const maxOutputBytes = 64 << 20;

/** Why tests that boot a systemd, and need these tools besides, cannot run here; false if they can. */
export async function systemdProblem(tools: readonly string[] = []): Promise<string | false> {
  const missing = requires({ root: true, tools: ["systemd-nspawn", "bash", "findmnt", ...tools] });
  if (missing) return missing;
  const keeper = new SystemdKeeper("/", ["true"]);
  return (await keeper.exited) !== 0 && `needs cgroup2 and overlay mounts (${keeper.output})`;
}

/**
 * A real systemd as process 1, on a throw-away copy of this machine's files and with a network of its own. It starts
 * basic units only. `SystemdLab.boot(t)` closes it at the end of the test `t`; without an argument, `close()` is the
 * caller's. It is gone with this process, too, however that ends.
 */
export class SystemdLab implements BootedSystem {
  readonly node = bound.node;
  readonly checkout = bound.checkout;
  /** This checkout's program, as the booted system names it. */
  readonly mptcpize = join(bound.checkout, "bin/mptcpize");
  readonly #keeper: SystemdKeeper;
  #init = 0;

  static async boot(test?: Closer, { lower = "/" }: SystemdLabOptions = {}): Promise<SystemdLab> {
    const lab = new SystemdLab(lower);
    test?.after(() => lab.close());
    await lab.#booted();
    return lab;
  }

  private constructor(lower: string) {
    this.#keeper = new SystemdKeeper(lower, nspawn);
  }

  async run(command: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.outcome(command, ...args);
    if (code !== 0) throw new CommandError([command, ...args].join(" "), code, stdout, stderr);
    return stdout;
  }

  outcome(command: string, ...args: readonly string[]): Promise<Outcome> {
    const entry = ["--target", `${this.#init}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
    const argv = [...entry, "--root", "--wd", "--", command, ...args];
    return new Promise((resolve) => {
      const options = { env: environment, maxBuffer: maxOutputBytes };
      const child = execFile("nsenter", argv, options, (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr }),
      );
      child.stdin?.end();
    });
  }

  path(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  /** Files stay, but for those in /run and /tmp. */
  async reboot(): Promise<void> {
    const before = this.#init;
    // It may be killed with all the others before it has ended; whether it did its work is seen by what follows.
    const { stderr } = await this.outcome("systemctl", "reboot");
    const isGone = () => !descendants(this.#keeper.pid).includes(before);
    await waitFor(`the end before the reboot ${stderr}`, isGone, { deadlineMs: bootDeadlineMs });
    await this.#booted();
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  async #booted(): Promise<void> {
    try {
      await waitFor("systemd to be up", () => this.#isUp(), { deadlineMs: bootDeadlineMs });
    } catch (cause) {
      throw new Error(`systemd does not boot:\n${this.#keeper.output}`, { cause });
    }
  }

  async #isUp(): Promise<boolean> {
    const init = descendants(this.#keeper.pid).find((pid) => nameOf(pid) === "systemd");
    if (init === undefined) return false;
    this.#init = init;
    const { stdout } = await this.outcome("systemctl", "is-system-running", "--wait");
    return ["running", "degraded"].includes(stdout.trim());
  }
}

/** Of those that are there at the moment. */
function descendants(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim();
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
