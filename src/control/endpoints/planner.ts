import type { Clock } from "../../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { Network } from "../network/network.ts";
import type { Decision } from "../policy/decision.ts";
import type { Wanted } from "../policy/input.ts";
import { decide } from "../policy/policy.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import { plan, type Step } from "./plan.ts";
import { RemovalDelays } from "./removal-delay.ts";

export interface PlannerOptions {
  readonly network: () => Network;
  readonly config: () => Config;
  /** The wanted endpoints; undefined: they are not known yet. */
  readonly wanted: () => Wanted | undefined;
  readonly clock: Clock;
}

/** The policy's decisions, its input, and the steps that lead to the decided endpoints. */
export interface Planned {
  readonly decisions: readonly Decision[];
  readonly steps: readonly Step[];
  readonly network: Network;
  readonly config: Config;
  readonly wanted: Wanted;
}

/** Runs the policy on the present network and endpoints, and makes steps of its decisions. */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #table: EndpointTable;
  readonly #removalDelays: RemovalDelays;

  constructor(options: PlannerOptions, table: EndpointTable) {
    this.#options = options;
    this.#table = table;
    this.#removalDelays = new RemovalDelays(options.clock);
  }

  /** @returns undefined while the wanted endpoints are not known */
  plan(): Planned | undefined {
    const config = this.#options.config();
    const network = this.#options.network();
    const wanted = this.#options.wanted();
    if (wanted === undefined) return undefined;
    const current = this.#table.current();
    const { capacity, droppedFlags, formerId } = this.#table;
    const { removalDelay } = config;
    const decisions = this.#removalDelays.apply(removalDelay, (expired) =>
      decide({ network, config, wanted, capacity, current, removalDelay, expired }),
    );
    const steps = plan({ decisions, current, capacity, formerId, droppedFlags });
    return { decisions, steps, network, config, wanted };
  }

  /** Milliseconds until the next removal delay of an endpoint is over; undefined: no delay is running. */
  nextExpiry(): number | undefined {
    return this.#removalDelays.nextExpiry(this.#options.config().removalDelay);
  }
}
