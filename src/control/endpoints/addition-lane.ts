/**
 * A fast lane for additions, because connections wait for them. If nothing has changed but one more address, the
 * decision about it follows from the policy's last result. Nothing here judges an address. A whole run follows, and
 * finds the endpoint already made.
 */
import type { CurrentEndpoint, Decision } from "../policy/decision.ts";
import type { HostAddress } from "../policy/host-addresses.ts";
import { everyAddress, type Wanted } from "../policy/input.ts";
import { type Addition, type PlanInput, takeId } from "./plan.ts";

/** The state after a run that has left nothing to do. */
interface Rest {
  readonly hosts: readonly HostAddress[];
  readonly current: readonly CurrentEndpoint[];
}

/** The input of the policy, and its result. */
interface Verdict {
  readonly decisions: readonly Decision[];
  readonly wanted: Wanted;
  readonly capacity: number;
}

export class AdditionLane {
  readonly #formerId: PlanInput["formerId"];
  #rest: Rest | undefined;

  constructor(formerId: PlanInput["formerId"]) {
    this.#formerId = formerId;
  }

  /** After a run that has left nothing to do: opens the lane, unless one address more may matter to others. */
  open(rest: Rest, { decisions, wanted, capacity }: Verdict): void {
    const { hosts, current } = rest;
    this.#rest = undefined;
    if (wanted !== everyAddress || hosts.length === 0 || current.length >= capacity) return;
    let count = 0;
    for (const { outcome } of decisions) if (outcome === "endpoint") count++;
    // There are more endpoints than decided: an endpoint of somebody else, or a held one.
    if (count === current.length) this.#rest = rest;
  }

  /**
   * The step that the policy and the plan would give, if the only change since is one more usable address without a
   * [path] section of its own. Closes the lane.
   *
   * @param hosts the present addresses: the same objects as long as the policy decides the same about them
   */
  take(hosts: readonly HostAddress[], wanted: Wanted | undefined): Addition | undefined {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest === undefined || wanted !== everyAddress) return undefined;
    const { length } = rest.hosts;
    const host = hosts[length];
    if (host === undefined || hosts.length > length + 1) return undefined;
    if (host.reason !== undefined || host.rule !== undefined) return undefined;
    for (let index = 0; index < length; index++) {
      const other = rest.hosts[index];
      if (other !== hosts[index] || other?.address === host.address) return undefined;
    }
    const taken = new Set<number>();
    for (const { endpoint } of rest.current) taken.add(endpoint.id);
    const { address, port, flags, ifIndex } = host;
    const id = takeId(taken, this.#formerId(address));
    return { kind: "add", endpoint: { id, address, port, flags, ifIndex }, reason: "usable" };
  }
}
