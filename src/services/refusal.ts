import { messageOf } from "../base/errors.ts";

/** Why mptcpize leaves a unit unchanged. The message is one line: the obstacle, its place, and what helps. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code = "REFUSED";
}

export function unreadable(path: string, error: unknown): Refusal {
  return new Refusal(`${path} cannot be read (${messageOf(error)})`, { cause: error });
}

/** There is no such unit. The text is that of the C mptcpize, which scripts know. */
export class UnknownUnitError extends Error {
  override readonly name = "UnknownUnitError";
  readonly code = "UNKNOWN_UNIT";

  constructor(unit: string) {
    super(`can't find unit file for service ${unit}`);
  }
}
