import { traceOf } from "../errors.ts";

/** Something that was asked for is not there or cannot be done. The message is one line. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What to say of an error that has no code: it is for a bug report, so it keeps its stack. */
export function internalError(error: unknown): string {
  return `internal error: ${traceOf(error)}`;
}
