/**
 * How commands answer, and how the program ends: every exit code, every line about a failure and the signals that end a
 * command.
 */
import { CommandError, internalError } from "../../../base/command-line/command-error.ts";
import { codeOf } from "../../../base/errors.ts";
import { oneLine } from "../../../base/text.ts";

export { CommandError } from "../../../base/command-line/command-error.ts";

/** What every command gets: the form of its answer, and where it writes it. */
export type CommandOutput = {
  readonly json: boolean;
  readonly pretty: boolean;
  readonly timestamp: boolean;
  /** To standard output, at once. */
  write(text: string): void;
  /** Resolves when somebody has taken what was written; undefined where nothing waits. */
  drain(): Promise<void> | undefined;
  /** How wide the terminal is; undefined if no terminal reads. */
  readonly columns?: number | undefined;
  /** A line to standard error. */
  warn(message: string): void;
};

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

/** Standard output does not take what is written. */
export class OutputError extends CommandError {
  constructor(cause: Error) {
    super(codeOf(cause) ?? "EIO", `cannot write the output: ${cause.message}`);
  }
}

/** `lines` go to standard error, each after the program's name. */
export type Ending = { readonly exitCode: number; readonly lines: readonly string[] };

/**
 * Says how the program ends after an error. Faults of our own keep their stack, for a bug report. The code of an error
 * decides, not its class: `replay` is a separate bundle and has its own copies of the classes.
 */
export function endingOf(error: unknown): Ending {
  const code = codeOf(error);
  // The reader of a pipe has gone (`mptcpctl monitor | head`): there is nobody left to tell.
  if (code === "EPIPE") return { exitCode: exitCodes.ok, lines: [] };
  if (!(error instanceof Error) || code === undefined)
    return { exitCode: exitCodes.failed, lines: [internalError(error)] };
  if (code === "USAGE") return { exitCode: exitCodes.usage, lines: [oneLine(error.message)] };
  // A ConfigError: each line is a fault of its own.
  if ("lines" in error && Array.isArray(error.lines))
    return { exitCode: exitCodes.failed, lines: error.lines.map((line) => oneLine(String(line))) };
  return { exitCode: exitCodes.failed, lines: [oneLine(error.message) + (hints[code] ?? "")] };
}

const hints: Readonly<Record<string, string>> = {
  EACCES: "; run it as root",
  EPERM: "; it takes CAP_NET_ADMIN in this network namespace: run it as root",
};

/** What ends a command that runs until a signal, in good order. */
export const endingSignals = ["SIGINT", "SIGTERM"] as const;

/** Resolves at the first SIGINT or SIGTERM, or when something else does, and keeps the program running until then. */
export function interrupted(otherwise?: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const waiting = setInterval(() => undefined, LONG);
    const end = (): void => {
      clearInterval(waiting);
      resolve();
    };
    for (const signal of endingSignals) process.once(signal, end);
    void otherwise?.then(end);
  });
}

/** Milliseconds: about the most that a timer takes. */
const LONG = 2 ** 31 - 1;
