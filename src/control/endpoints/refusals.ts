import type { Clock } from "../../base/clock.ts";
import type { Refusal } from "../policy/refused-endpoints.ts";
import type { EndpointTask } from "./executor.ts";
import type { Failure } from "./outcomes.ts";

export interface RefusalsOptions {
  readonly clock: Clock;
  /** Milliseconds since the epoch: those who read when something is tried again have no other clock in common with us. */
  readonly wallClock: () => number;
  /** Told all refusals whenever one of them changes. */
  readonly onRefusals?: ((refusals: readonly Refusal[]) => void) | undefined;
}

/** What others are told of the commands that failed and are tried again. */
export class Refusals {
  readonly #options: RefusalsOptions;
  #told: readonly Refusal[] = [];

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  get current(): readonly Refusal[] {
    return this.#told;
  }

  update(failures: readonly Failure<EndpointTask>[]): void {
    const { onRefusals } = this.#options;
    const refusals = failures.map((failure) => this.#refusalOf(failure));
    if (refusals.length === this.#told.length && refusals.every((one, i) => isSame(one, this.#told[i])))
      return;
    this.#told = refusals;
    onRefusals?.(refusals);
  }

  #refusalOf({ task, code, words, attempts, due }: Failure<EndpointTask>): Refusal {
    const { clock, wallClock } = this.#options;
    const { kind: action, endpoint } = task.step;
    const retryAt = Math.round(wallClock() + due - clock.now());
    return { action, address: endpoint.address, ifIndex: endpoint.ifIndex, code, words, attempts, retryAt };
  }
}

/** The time of the next attempt follows from the number of attempts. */
function isSame(one: Refusal, other: Refusal | undefined): boolean {
  return (
    other !== undefined &&
    one.address === other.address &&
    one.ifIndex === other.ifIndex &&
    one.action === other.action &&
    one.words === other.words &&
    one.attempts === other.attempts
  );
}
