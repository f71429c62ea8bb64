/** What a command of a path manager fails with, where it is not the kernel's own refusal (KernelError). */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
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
