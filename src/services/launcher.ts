/** Asks the launcher (native/launcher) about a program. Only the launcher chooses the way and merges variables. */

import { messageOf } from "../base/errors.ts";
import { splitAssignment } from "../base/text.ts";
import { Refusal } from "./refusal.ts";
import type { How, VariableName } from "./ways.ts";

export type Inspection = {
  readonly way: "preload" | "go" | "seccomp" | "bpf" | "none";
  /** The inspected file: the program itself, or the interpreter of a script. */
  readonly program: string;
  readonly why: string;
  /** The variables that the program needs, with the user's values merged in. */
  readonly set: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
};

export type Identity = { readonly uid: number; readonly gid: number };

/** Runs a program with only this environment. */
export type RunAs = (
  command: string,
  args: readonly string[],
  options: { readonly environment: Readonly<Record<string, string>>; readonly identity?: Identity },
) => Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number }>;

export type Question = {
  /** The unit of the program, for the message of a Refusal. */
  readonly unit: string;
  readonly program: string;
  /** Commands such as `env -i` start another program, which their arguments name. */
  readonly args: readonly string[];
  readonly how: How;
  /** The values that the program would have without mptcpize. */
  readonly variables: ReadonlyMap<VariableName, string>;
  /** The program's PATH, in which `#!/usr/bin/env NAME` searches. */
  readonly searchPath: string;
  /** The account that will run it, if not this process's own: what a setuid program gains depends on it. */
  readonly identity?: Identity;
};

export class Launcher {
  readonly path: string;
  readonly #run: RunAs;

  constructor(path: string, run: RunAs) {
    this.path = path;
    this.#run = run;
  }

  async inspect(question: Question): Promise<Inspection> {
    const { unit, program, how, variables, searchPath, identity } = question;
    // Pass them as options: in the environment they would act on the launcher itself, which may run as root.
    const environment = [...variables].map(([name, value]) => `--env=${name}=${value}`);
    const args = ["run", "--dry-run", `--how=${how}`, ...environment, "--", program, ...question.args];
    const options = { environment: { PATH: searchPath }, ...(identity && { identity }) };
    const { stdout, stderr, code } = await this.#run(this.path, args, options).catch((error: unknown) => {
      const reason = messageOf(error);
      throw new Refusal(`${unit}: ${asWhom(identity)} cannot execute ${this.path}: ${reason}`);
    });
    if (code === 0) return parseDryRun(stdout);
    const said = stderr.trim().replace(/^mptcpize: /, "");
    throw new Refusal(`${unit}: ${said || `${this.path} fails on ${program}`}`);
  }
}

function asWhom(identity: Identity | undefined): string {
  return identity === undefined ? "mptcpize" : `its user (uid ${identity.uid})`;
}

/** The lines of `mptcpize run --dry-run`. */
export function parseDryRun(text: string): Inspection {
  const lines = text.split("\n").map((line) => /^(\w+): (.*)$/.exec(line));
  const values = (key: string) => lines.flatMap((line) => (line?.[1] === key ? [line[2] ?? ""] : []));
  const way = inspectedWays.find((known) => known === values("way")[0]);
  if (way === undefined) throw new Refusal(`cannot read the launcher's answer: ${text.trim()}`);
  return {
    way,
    program: values("program")[0] ?? "",
    why: values("why")[0] ?? "",
    set: new Map(values("set").map(splitAssignment)),
    warnings: values("warning"),
  };
}

const inspectedWays = ["preload", "go", "seccomp", "bpf", "none"] as const;
