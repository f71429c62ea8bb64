import type { Decision } from "./decision.ts";
import type { CurrentEndpoint } from "./input.ts";

/** A command about an endpoint that failed and is tried again. */
export interface Refusal {
  readonly action: "add" | "change" | "delete";
  readonly address: string;
  /** 0: the endpoint is bound to no interface. */
  readonly ifIndex: number;
  /** "EPERM". */
  readonly code: string;
  /** The kernel's: "limit greater than maximum (8) (ERANGE)". */
  readonly words: string;
  /** Failed attempts, one after another. */
  readonly attempts: number;
  /** When mptcpd tries again, in milliseconds since the epoch. */
  readonly retryAt: number;
}

/**
 * The decisions, with the outcome `refused` where the kernel does not do what was decided. What is wanted stays the same:
 * this is for those who show decisions.
 *
 * @param current a refusal that it shows to be over has no effect
 */
export function markRefused(
  decisions: readonly Decision[],
  refusals: readonly Refusal[],
  current: readonly CurrentEndpoint[],
): Decision[] {
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

/** The file that refusals are read from may be older than what the kernel shows. */
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
