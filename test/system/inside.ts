import { readFileSync, rmSync } from "node:fs";
import { waitFor } from "../../src/lab/kit/wait.ts";
import type { BootedSystem, Outcome } from "../lab/booted-system.ts";
import { configure, unit } from "./service.ts";
import { write } from "./units.ts";

const program = "/usr/local/libexec/mptcpd-test-inside";
const directory = "/run/mptcpd";

/** A path manager that is a program, and does nothing but run what it finds in a FIFO. */
const agent = `#!/bin/sh
cd ${directory} && rm -f ask && mkfifo ask || exit
while :; do sh <ask >output 2>errors; echo $? >status.new; mv status.new status; done
`;

/** The running service, seen from inside: what `run` is given runs in its sandbox. */
export class Inside {
  readonly #system: BootedSystem;

  /** Restarts the service with a configuration of its own. */
  static async start(system: BootedSystem): Promise<Inside> {
    await write(system, { [program]: agent });
    await system.run("chmod", "755", program);
    await configure(system, `[plugin inside]\nexec=${program}\n`);
    await system.run("systemctl", "restart", unit);
    return new Inside(system);
  }

  private constructor(system: BootedSystem) {
    this.#system = system;
  }

  /** Runs a shell's script to its end. */
  async run(script: string): Promise<Outcome> {
    await waitFor("the program to listen", () => this.#system.run("test", "-p", `${directory}/ask`));
    const ask = `printf "%s\\n" "$1" >${directory}/ask`;
    await this.#system.run("timeout", "60", "sh", "-c", ask, "sh", script);
    const code = await waitFor("the script to end", () => Number(this.#read("status").trim()), {
      until: Number.isInteger,
      deadlineMs: 60_000,
    });
    rmSync(this.#path("status"));
    return { code, stdout: this.#read("output"), stderr: this.#read("errors") };
  }

  #read(name: string): string {
    return readFileSync(this.#path(name), "utf8");
  }

  /** Where systemd keeps the directories of dynamic users (systemd.exec(5), RuntimeDirectory=). */
  #path(name: string): string {
    return this.#system.path(`/run/private/mptcpd/${name}`);
  }
}
