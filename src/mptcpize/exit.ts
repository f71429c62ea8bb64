/** How the program ends: every exit code and every line about a failure comes from here. */

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

/** Something that was asked for cannot be done. The message is one line. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export type Ending = { readonly exitCode: number; readonly line: string | undefined };

/** What to say and how to exit after an error. Faults of our own keep their stack: they are for a bug report. */
export function endingOf(error: unknown): Ending {
  if (error instanceof UsageError) return { exitCode: error.exitCode, line: error.message };
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { exitCode: exitCodes.failed, line: `internal error: ${text}` };
  }
  // The reader of a pipe has gone (`mptcpize status | head`): there is nobody left to tell.
  if (error.code === "EPIPE") return { exitCode: exitCodes.ok, line: undefined };
  return { exitCode: exitCodes.failed, line: error.message.trim().replaceAll(/\s*\n\s*/g, " ") };
}
