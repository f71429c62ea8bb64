/** Programs whose word a report wants: no shell, no environment but what finds and unties them, and not for long. */
import { execFile } from "node:child_process";
import type { Clock } from "../../base/clock.ts";
import { CommandError } from "../../base/command-line/command-error.ts";
import { runningClock } from "../../base/deadlines.ts";
import { oneLine } from "../../base/text.ts";

const usualDeadlineMs = 10_000;
const mostBytes = 16 * 1024 * 1024;

export type Said = { readonly stdout: string; readonly stderr: string };

/** Runs one to its end. Throws a CommandError that says why it gave nothing: it is missing, failed, or took too long. */
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
  if (error.code === "EACCES") return `${program} may not be run`;
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `${program} had too much to say`;
  return `${program} failed: ${oneLine(stderr) || `exit code ${error.code}`}`;
}
