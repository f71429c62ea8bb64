/** The configuration is refused. Each line is one fault, "FILE:LINE: what, and what is allowed". */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "ECONFIG";
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}
