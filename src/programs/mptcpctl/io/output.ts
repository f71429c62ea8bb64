/**
 * How commands write their answers, and how the program ends: the exit codes, the lines about failures, and the signals
 * that end a command.
 */
import { CommandError, internalError } from "../../../base/command-line/command-error.ts";
import { codeOf } from "../../../base/errors.ts";
import { oneLine } from "../../../base/text.ts";

export { CommandError } from "../../../base/command-line/command-error.ts";

/** Given to every command: the format of its answer, and the functions that write it. */
export type CommandOutput = {
  readonly json: boolean;
  readonly pretty: boolean;
  readonly timestamp: boolean;
  /** Writes to standard output at once. */
  write(text: string): void;
  /** Resolves when the reader has taken all output; undefined if no output waits. */
  drain(): Promise<void> | undefined;
  /** The width of the terminal; undefined if the output does not go to a terminal. */
  readonly columns?: number | undefined;
  /** Writes a line to standard error. */
  warn(message: string): void;
};

export const exitCodes = {
  ok: 0,
  /** The kernel, the file system or the configuration refused. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
} as const;

/** The command line is wrong. The message is one line that names the allowed words. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "USAGE";
}

/** Writing to standard output failed. */
export class OutputError extends CommandError {
  constructor(cause: Error) {
    super(codeOf(cause) ?? "EIO", `cannot write the output: ${cause.message}`);
  }
}

/** Each of `lines` goes to standard error, after the program's name. */
export type Ending = { readonly exitCode: number; readonly lines: readonly string[] };

/**
 * How the program ends after an error. Our own faults keep their stack, for a bug report. The error's code decides, not
 * its class: `replay` is a separate bundle and has its own copies of the classes.
 */
export function endingOf(error: unknown): Ending {
  const code = codeOf(error);
  // The reader of the pipe has gone (`mptcpctl monitor | head`): say nothing.
  if (code === "EPIPE") return { exitCode: exitCodes.ok, lines: [] };
  if (!(error instanceof Error) || code === undefined)
    return { exitCode: exitCodes.failed, lines: [internalError(error)] };
  if (code === "USAGE") return { exitCode: exitCodes.usage, lines: [oneLine(error.message)] };
  // A ConfigError: each line is a separate fault.
  if ("lines" in error && Array.isArray(error.lines))
    return { exitCode: exitCodes.failed, lines: error.lines.map((line) => oneLine(String(line))) };
  return { exitCode: exitCodes.failed, lines: [oneLine(error.message) + (hints[code] ?? "")] };
}

const hints: Readonly<Record<string, string>> = {
  EACCES: "; run it as root",
  EPERM: "; it takes CAP_NET_ADMIN in this network namespace: run it as root",
};

/** The signals that end a long-running command cleanly. */
export const endingSignals = ["SIGINT", "SIGTERM"] as const;

/** Resolves at the first SIGINT or SIGTERM, or when `otherwise` resolves. Keeps the program running until then. */
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

/** Milliseconds. About the longest time that a timer takes. */
const LONG = 2 ** 31 - 1;
