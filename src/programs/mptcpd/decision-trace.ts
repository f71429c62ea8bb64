import type { Logger } from "../../base/log/log.ts";
import type { Decision } from "../../control/policy/decision.ts";

/** For `--debug`: says what becomes of each address, and why, whenever that changes. */
export class DecisionTrace {
  readonly #log: Logger;
  #said: ReadonlyMap<string, string> = new Map();

  constructor(log: Logger) {
    this.#log = log;
  }

  follow(decisions: readonly Decision[]): void {
    const now = new Map(
      decisions.map(({ address, interfaceName, outcome, reason }) => [
        `${address} on ${interfaceName}`,
        `${outcome}, ${reason}`,
      ]),
    );
    for (const [what, verdict] of now)
      if (this.#said.get(what) !== verdict) this.#log.debug(`${what}: ${verdict}`);
    for (const what of this.#said.keys()) if (!now.has(what)) this.#log.debug(`${what}: gone`);
    this.#said = now;
  }
}
