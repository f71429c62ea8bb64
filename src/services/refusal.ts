import { messageOf } from "../base/errors.ts";

/** Why a unit is left as it is. The message is one line: what stands in the way, where, and what helps. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code = "REFUSED";
}

export function unreadable(path: string, error: unknown): Refusal {
  return new Refusal(`${path} cannot be read (${messageOf(error)})`, { cause: error });
}

/** There is no such unit. Scripts know the text from the C mptcpize. */
export class UnknownUnitError extends Error {
  override readonly name = "UnknownUnitError";
  readonly code = "UNKNOWN_UNIT";

  constructor(unit: string) {
    super(`can't find unit file for service ${unit}`);
  }
}
