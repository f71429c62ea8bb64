import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";

const script = join(checkout, "test/lab/systemd-boot.sh");

/** test/lab/systemd-boot.sh: ends the system that it has booted, and tidies up, when this process lets go of it. */
export class SystemdKeeper {
  readonly pid: number;
  /** Settles with the exit code. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  #output = "";

  constructor(lower: string, command: readonly string[]) {
    // A group of its own: ^C is for this process, and what follows from it comes by way of the pipe.
    this.#child = spawn("bash", [script, lower, ...command], { stdio: "pipe", detached: true });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (text) => {
        this.#output += text;
      });
    this.exited = new Promise((resolve, reject) => {
      this.#child.on("error", reject).on("close", resolve);
    });
  }

  /** What was written so far, also to the console of the booted system. */
  get output(): string {
    return this.#output.trim();
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.exited;
  }
}
