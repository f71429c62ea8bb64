/** How commands write their answers, and how the program ends: the exit codes and the lines about failures. */

import { internalError } from "../../base/command-line/command-error.ts";
import { codeOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";

export { CommandError } from "../../base/command-line/command-error.ts";

/** The same as those of the C mptcpize. */
export const exitCodes = {
  ok: 0,
  /** Refused, or failed. */
  failed: 1,
  /** An unknown option (EX_USAGE). */
  usage: 64,
  /** An unknown command, or a command without its argument. */
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

/** The message and exit code for an error. Our own faults keep their stack, for a bug report. */
export function endingOf(error: unknown): Ending {
  if (error instanceof UsageError) return { exitCode: error.exitCode, line: oneLine(error.message) };
  const code = codeOf(error);
  if (!(error instanceof Error) || code === undefined)
    return { exitCode: exitCodes.failed, line: internalError(error) };
  // The reader of the pipe has gone (`mptcpize status | head`): say nothing.
  if (code === "EPIPE") return { exitCode: exitCodes.ok, line: undefined };
  return { exitCode: exitCodes.failed, line: oneLine(error.message) };
}

/** Given to every command: the functions that write its answer. */
export type StandardStreams = {
  /** Writes to standard output at once. */
  write(text: string): void;
  /** Writes a line to standard error. */
  warn(message: string): void;
};
