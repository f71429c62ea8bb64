/** Completing command lines in real shells. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import type { Shell } from "../../src/programs/completions/completion-files.ts";

const sources = join(checkout, "test/lab");

/** Why a shell cannot be tried here, or false. */
export function shellProblem(shell: Shell): string | false {
  return requires({ tools: ["ip", "ss", "script", shell] });
}

/**
 * A directory with the completions as they are made, and all that shells need beside them: it may be copied elsewhere.
 */
export class Completions {
  readonly directory = mkdtempSync(join(tmpdir(), "mptcpd-completions-"));

  constructor() {
    execFileSync(process.execPath, [join(checkout, "tools/completions.mjs"), join(this.directory, "made")]);
    mkdirSync(join(this.directory, "home"));
    mkdirSync(join(this.directory, "bin"));
    copyFileSync(join(sources, "completion.zsh"), join(this.directory, "home/.zshrc"));
    copyFileSync(join(sources, "completion.bash"), this.#driver);
    // Whoever starts one of these leaves a file behind.
    const stub = join(this.directory, "bin/node");
    writeFileSync(stub, `#!/bin/sh\ntouch ${this.started}\n`, { mode: 0o755 });
    for (const name of ["mptcpctl", "mptcpd", "mptcpize"])
      symlinkSync(stub, join(this.directory, "bin", name));
  }

  get #driver(): string {
    return join(this.directory, "completion.bash");
  }

  /** There once Node, or one of the programs, was started. */
  get started(): string {
    return join(this.directory, "started");
  }

  /** The file of a program for a shell. */
  file(shell: Shell, program: string): string {
    const name = { bash: program, zsh: `_${program}`, fish: `${program}.fish` }[shell];
    return join(this.directory, "made", shell, name);
  }

  /** The command that completes a line: what it prints is for `offered`. */
  command(shell: Shell, line: string): readonly [string, ...string[]] {
    const [program = ""] = line.split(" ");
    const home = join(this.directory, "home");
    const environment = [
      ...[`HOME=${home}`, `ZDOTDIR=${home}`, "LC_ALL=C.UTF-8", "TERM=dumb", `LINE=${line}`],
      ...[`COMPLETIONS=${join(this.directory, "made/zsh")}`, `CAPTURE=${join(home, "capture")}`],
      `PATH=${join(this.directory, "bin")}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    ];
    const file = this.file(shell, program);
    // zsh completes on a terminal alone.
    const inTerminal = '>"$CAPTURE" && script -qec "zsh -i" /dev/null </dev/null >/dev/null; cat "$CAPTURE"';
    const commands = {
      bash: ["bash", "--norc", this.#driver, file, line],
      zsh: ["sh", "-c", inTerminal],
      fish: ["fish", "--no-config", "--command", "source $argv[1]; complete -C $argv[2]", file, line],
    };
    return ["env", "-i", ...environment, ...commands[shell]];
  }

  close(): void {
    rmSync(this.directory, { recursive: true });
  }
}

/**
 * What a shell has offered, sorted: without the option before a value, which bash leaves out, the slash that fish puts
 * behind directories, and the description.
 */
export function offered(output: string): string[] {
  const lines = output.split(/\r?\n/).filter((line) => line !== "");
  const names = lines.map((line) => line.replace(/\t.*/, "").replace(/^--[a-z-]+=(?=.)/, ""));
  // zsh writes what it would put into the line, with quotes.
  return [...new Set(names.map((name) => name.replace(/\/$/, "").replace(/\\(?=.)/g, "")))].sort();
}
