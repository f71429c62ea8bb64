/** What a command of a path manager fails with, where it is not the kernel's own refusal (KernelError). */
export class ConnectionError extends Error {
  override readonly name: string = "ConnectionError";
  /** An errno's name where one fits: ECONNREFUSED, ETIMEDOUT, ECONNRESET… */
  readonly code: string;
  /** What was asked for, as in "create subflow 10.0.2.2 to 10.0.1.1 port 80 of connection 0x1234abcd". */
  readonly what: string;

  constructor(what: string, code: string, reason: string) {
    super(`cannot ${what}: ${reason} (${code})`);
    this.code = code;
    this.what = what;
  }
}

/** The connection has ended, which who gave the command is told of in any case: no news. */
export class ConnectionClosedError extends ConnectionError {
  override readonly name = CLOSED;
}

const CLOSED = "ConnectionClosedError";

/** By its name: the library that a module imports has classes of its own. */
export function isConnectionClosed(error: unknown): boolean {
  return error instanceof Error && error.name === CLOSED;
}
