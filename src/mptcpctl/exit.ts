/** How the program ends: every exit code and every line about a failure comes from here. */

export const exitCodes = {
  ok: 0,
  /** The kernel, the file system or the configuration said no. */
  failed: 1,
  /** The command line is not one of ours. */
  usage: 2,
} as const;

/** The command line is wrong. The message is one line that names what is allowed. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "USAGE";
}

/** Something that was asked for is not there or cannot be done. The message is one line. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Standard output does not take what is written. */
export class OutputError extends CommandError {
  constructor(cause: Error) {
    super(codeOf(cause) ?? "EIO", `cannot write the output: ${cause.message}`);
  }
}

export type Ending = { readonly exitCode: number; readonly message: string | undefined };

/** What to say and how to exit after an error. Faults of our own keep their stack: they are for a bug report. */
export function endingOf(error: unknown): Ending {
  if (error instanceof UsageError) return { exitCode: exitCodes.usage, message: error.message };
  const code = codeOf(error);
  // The reader of a pipe has gone (`mptcpctl monitor | head`): there is nobody left to tell.
  if (code === "EPIPE") return { exitCode: exitCodes.ok, message: undefined };
  if (!(error instanceof Error) || code === undefined) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { exitCode: exitCodes.failed, message: `internal error: ${text}` };
  }
  return { exitCode: exitCodes.failed, message: oneLine(error.message) + (hints[code] ?? "") };
}

const hints: Readonly<Record<string, string>> = {
  EPERM: "; it takes CAP_NET_ADMIN in this network namespace: run it as root",
};

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, " ");
}
