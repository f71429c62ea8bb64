/** The sections of a report, and how they are gathered: a section that fails says so, and the others go on. */

import { execFile } from "node:child_process";
import type { Clock } from "../../base/clock.ts";
import { CommandError } from "../../base/command-line/command-error.ts";
import { runningClock } from "../../base/deadlines.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";
import { ConfigError } from "../../control/config/config.ts";

export type Findings = {
  /** For people: lines, each with its end. */
  readonly text: string;
  /** For programs: what JSON.stringify takes, bigints excepted, which are made numbers or text. */
  readonly data: unknown;
  /** What is missing of it, and why. */
  readonly notes?: readonly string[];
};

export type Section = {
  /** One word, for programs. */
  readonly name: string;
  readonly title: string;
  gather(): Findings | Promise<Findings>;
};

/** `findings` are undefined where nothing could be read; `notes` say why. */
export type Gathered = Pick<Section, "name" | "title"> & {
  readonly findings: Findings | undefined;
  readonly notes: readonly string[];
};

export async function gatherAll(sections: readonly Section[]): Promise<Gathered[]> {
  const all: Gathered[] = [];
  for (const { name, title, gather } of sections)
    try {
      const findings = await gather();
      all.push({ name, title, findings, notes: (findings.notes ?? []).map(oneLine) });
    } catch (error) {
      all.push({ name, title, findings: undefined, notes: [oneLine(reasonOf(error))] });
    }
  return all;
}

/** A fault of our own is told as one. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError) return error.lines.join("; ");
  return codeOf(error) === undefined ? `internal error: ${messageOf(error)}` : messageOf(error);
}

const usualDeadlineMs = 10_000;
const mostBytes = 16 * 1024 * 1024;

export type Said = { readonly stdout: string; readonly stderr: string };

/**
 * Runs a program whose output a report needs, to its end: without a shell, with a minimal environment, and with a
 * deadline. Throws a CommandError that says why there is no output: the program is missing, failed, or took too long.
 */
export function askTool(
  program: string,
  args: readonly string[],
  deadlineMs = usualDeadlineMs,
  clock: Clock = runningClock,
): Promise<Said> {
  const { PATH = "/usr/sbin:/usr/bin:/sbin:/bin" } = process.env;
  const options = {
    // Their words are shown, untranslated.
    env: { PATH, LC_ALL: "C" },
    maxBuffer: mostBytes,
  } as const;
  return new Promise((resolve, reject) => {
    let isLate = false;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      deadline.cancel();
      if (error === null) resolve({ stdout, stderr });
      else if (isLate)
        reject(new CommandError("ETIMEDOUT", `${program} did not end within ${deadlineMs / 1000} s`));
      else reject(new CommandError(String(error.code ?? "ETOOL"), why(program, error, stderr)));
    });
    const deadline = clock.schedule(deadlineMs, () => {
      isLate = true;
      child.kill("SIGKILL");
    });
  });
}

function why(program: string, error: { code?: unknown; message: string }, stderr: string): string {
  if (error.code === "ENOENT") return `${program} is not installed`;
  if (error.code === "EACCES") return `no permission to run ${program}`;
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `${program} printed too much`;
  return `${program} failed: ${oneLine(stderr) || `exit code ${error.code}`}`;
}
