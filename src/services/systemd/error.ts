/** Text that systemd would not take either. The message is one line. */
export class UnitSyntaxError extends Error {
  override readonly name = "UnitSyntaxError";
  readonly code = "UNIT_SYNTAX";
}
