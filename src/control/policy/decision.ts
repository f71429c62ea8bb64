import type { Endpoint, EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";

/** An endpoint that the kernel should have; its id is chosen when it is added. */
export interface DesiredEndpoint {
  readonly address: string;
  /** 0: none. */
  readonly port: number;
  readonly flags: Bits<EndpointFlag>;
  readonly ifIndex: number;
}

/** An endpoint that the kernel has. */
export interface CurrentEndpoint {
  readonly endpoint: Endpoint;
  readonly ours: boolean;
}

/**
 * What the policy decided about an address:
 * - `endpoint`: it should be an endpoint;
 * - `held`: it is still an endpoint because connections use it; mptcpd removes it after the delay;
 * - `served`: an endpoint that mptcpd did not make already covers it;
 * - `waiting`: it would be an endpoint if a slot were free;
 * - `unusable`: it should not be an endpoint;
 * - `refused`: the kernel refuses the command that was decided, and mptcpd tries again.
 */
export type Outcome = "endpoint" | "held" | "served" | "waiting" | "unusable" | "refused";

/** The reason, for programs; the decision's `reason` is the same for people. */
export type ReasonCode =
  | "usable"
  | "loopback"
  | "multicast"
  | "link-local"
  | "unspecified"
  | "scope"
  | "tentative"
  | "dad-failed"
  | "deprecated"
  | "temporary"
  | "link-down"
  | "no-carrier"
  | "enslaved"
  | "ignored"
  | "guests"
  | "not-wanted"
  | "no-default-route"
  | "bypasses-tunnel"
  | "foreign-endpoint"
  | "same-address"
  | "over-maximum"
  | "no-slot"
  | "address-gone"
  | "interface-gone"
  | "refused";

/** The verdict on one address of one interface. */
export interface Decision {
  readonly address: string;
  readonly ifIndex: number;
  readonly interfaceName: string;
  readonly outcome: Outcome;
  readonly code: ReasonCode;
  readonly reason: string;
  /** Set for the outcomes `endpoint` and `held`. */
  readonly endpoint: DesiredEndpoint | undefined;
  /** The rank among the addresses that contend for the kernel's slots: 1 is the best. Absent if it does not contend. */
  readonly rank?: number | undefined;
  /** Set for the outcome `refused`. */
  readonly refusal?: Refusal | undefined;
}

/** A command about an endpoint that failed and is tried again. */
export interface Refusal {
  readonly action: "add" | "change" | "delete";
  readonly address: string;
  /** 0: the endpoint is bound to no interface. */
  readonly ifIndex: number;
  /** "EPERM". */
  readonly code: string;
  /** The kernel's words: "limit greater than maximum (8) (ERANGE)". */
  readonly words: string;
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** When mptcpd tries again, in milliseconds since the epoch. */
  readonly retryAt: number;
}

/**
 * The decisions, with the outcome `refused` where the kernel refuses the command. Only for showing decisions: the
 * wanted endpoints stay the same.
 *
 * @param current the kernel's endpoints; a refusal that they show to be out of date has no effect
 */
export function markRefused(
  decisions: readonly Decision[],
  refusals: readonly Refusal[],
  current: readonly CurrentEndpoint[],
): readonly Decision[] {
  if (refusals.length === 0) return decisions;
  return decisions.map((decision) => {
    const refusal = refusals.find((one) => isAbout(one, decision) && isStanding(one, decision, current));
    if (refusal === undefined) return decision;
    const reason = `${decision.reason}; mptcpd cannot ${refusal.action} the endpoint: ${refusal.words}`;
    return { ...decision, outcome: "refused", code: "refused", reason, refusal };
  });
}

function isAbout({ address, ifIndex }: Refusal, decision: Decision): boolean {
  return address === decision.address && (ifIndex === 0 || ifIndex === decision.ifIndex);
}

/** The file with the refusals may be older than the kernel's list of endpoints. */
function isStanding({ action }: Refusal, decision: Decision, current: readonly CurrentEndpoint[]): boolean {
  const { address, ifIndex, outcome } = decision;
  const exists = current.some(
    ({ endpoint, ours }) =>
      ours && endpoint.address === address && (endpoint.ifIndex === 0 || endpoint.ifIndex === ifIndex),
  );
  const isWanted = decision.endpoint !== undefined;
  if (action === "add") return outcome === "endpoint" && !exists;
  return exists && (action === "change" ? isWanted : true);
}
