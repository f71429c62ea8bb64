/** How commands answer, and how the program ends: every exit code and every line about a failure comes from here. */

import { internalError } from "../../base/command-line/command-error.ts";
import { codeOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";

export { CommandError } from "../../base/command-line/command-error.ts";

/** Those of the C mptcpize. */
export const exitCodes = {
  ok: 0,
  /** Refused, or failed. */
  failed: 1,
  /** An option that there is not (EX_USAGE). */
  usage: 64,
  /** No such command, or one without what it is for. */
  command: 255,
} as const;

/** The command line is wrong. The message is one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "USAGE";
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export type Ending = { readonly exitCode: number; readonly line: string | undefined };

/** What to say and how to exit after an error. Faults of our own keep their stack: they are for a bug report. */
export function endingOf(error: unknown): Ending {
  if (error instanceof UsageError) return { exitCode: error.exitCode, line: oneLine(error.message) };
  const code = codeOf(error);
  if (!(error instanceof Error) || code === undefined)
    return { exitCode: exitCodes.failed, line: internalError(error) };
  // The reader of a pipe has gone (`mptcpize status | head`): there is nobody left to tell.
  if (code === "EPIPE") return { exitCode: exitCodes.ok, line: undefined };
  return { exitCode: exitCodes.failed, line: oneLine(error.message) };
}

/** What every command gets: where it writes its answer. */
export type StandardStreams = {
  /** To standard output, at once. */
  write(text: string): void;
  /** A line to standard error. */
  warn(message: string): void;
};
