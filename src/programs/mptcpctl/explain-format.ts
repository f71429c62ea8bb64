import { table } from "../../base/command-line/table.ts";
import type { Decision } from "../../control/policy/decision.ts";
import type { CurrentEndpoint } from "../../control/policy/input.ts";
import type { Refusal } from "../../control/policy/refused-endpoints.ts";
import type { JsonObject } from "./json.ts";

/** What becomes of one address, and the endpoint that serves it now, if there is one. */
export type Explanation = { readonly decision: Decision; readonly endpoint: CurrentEndpoint | undefined };

/**
 * A table for people. ENDPOINT is the kernel's, as it is; OUTCOME is what the policy wants, or that the kernel refuses it.
 *
 * @param now in milliseconds since the epoch
 */
export function explanationTable(explanations: readonly Explanation[], now: number): string {
  const rows = explanations.map(({ decision, endpoint }) => [
    decision.address,
    decision.interfaceName,
    describe(endpoint),
    decision.outcome,
    decision.reason + nextAttempt(decision, now),
  ]);
  return table([["ADDRESS", "INTERFACE", "ENDPOINT", "OUTCOME", "REASON"], ...rows]);
}

/** The names of `ip -j mptcp endpoint` for what they name there. `code` is one word for `reason`. */
export function explanationObject({ decision, endpoint }: Explanation): JsonObject {
  const flags = endpoint?.endpoint.flags.names ?? [];
  return {
    address: decision.address,
    dev: decision.interfaceName,
    outcome: decision.outcome,
    code: decision.code,
    reason: decision.reason,
    id: endpoint?.endpoint.id,
    ...Object.fromEntries(flags.map((name) => [name, true])),
    owner: endpoint && (endpoint.ours ? "mptcpd" : "other"),
    refusal: decision.refusal && refusalObject(decision.refusal),
  };
}

/** `retry_at` as RFC 3339 has it. */
function refusalObject({ action, code, words, attempts, retryAt }: Refusal): JsonObject {
  return { action, code, words, attempts, retry_at: new Date(retryAt).toISOString() };
}

/** Milliseconds by which an attempt may be late before mptcpd seems to be gone. */
const LATE = 10_000;

function nextAttempt({ refusal }: Decision, now: number): string {
  if (refusal === undefined) return "";
  const left = refusal.retryAt - now;
  const times = refusal.attempts === 1 ? "tried once" : `tried ${refusal.attempts} times`;
  if (left < -LATE) return `; ${times}, the next attempt is overdue: does mptcpd run?`;
  return `; ${times}, next in ${Math.max(Math.ceil(left / 1000), 0)} s`;
}

function describe(current: CurrentEndpoint | undefined): string {
  if (current === undefined) return "-";
  const { id, flags } = current.endpoint;
  return `${id} ${flags.toString()}`.trim();
}
