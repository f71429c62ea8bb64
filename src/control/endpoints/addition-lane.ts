/**
 * A lane for additions, since connections wait for them: what the policy would say of one more address follows from
 * what it said last, where nothing else has changed. Nothing here judges an address; a whole run follows, and finds the
 * endpoint made.
 */
import type { CurrentEndpoint, Decision } from "../policy/decision.ts";
import type { HostAddress } from "../policy/host-addresses.ts";
import { everyAddress, type Wanted } from "../policy/input.ts";
import { type Addition, takeId } from "./plan.ts";

/** How things are after a run that has left nothing to do, if one more endpoint takes nothing from any other. */
export interface Rest {
  readonly hosts: readonly HostAddress[];
  readonly current: readonly CurrentEndpoint[];
}

/** @returns undefined where an address more may make a difference to others */
export function restAfter(
  { hosts, current }: Rest,
  decisions: readonly Decision[],
  { wanted, capacity }: { readonly wanted: Wanted; readonly capacity: number },
): Rest | undefined {
  if (wanted !== everyAddress || hosts.length === 0 || current.length >= capacity) return undefined;
  let count = 0;
  for (const { outcome } of decisions) {
    if (outcome === "endpoint") count++;
    else if (outcome !== "unusable") return undefined;
  }
  // Endpoints of others may have an address, and those of path managers' commands.
  for (const { ours } of current) if (!ours) return undefined;
  return count === current.length ? { hosts, current } : undefined;
}

/**
 * What the policy and the plan would do, if all that has changed since is one usable address more, without a [path]
 * section of its own.
 *
 * @param hosts those of now: the same objects as long as the policy says the same of them
 * @param formerId as the plan has it
 */
export function additionSince(
  rest: Rest,
  hosts: readonly HostAddress[],
  formerId: (address: string) => number | undefined,
): Addition | undefined {
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
  const id = takeId(taken, formerId(address));
  return { kind: "add", endpoint: { id, address, port, flags, ifIndex }, reason: "usable" };
}
