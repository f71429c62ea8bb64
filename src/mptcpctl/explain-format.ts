import { table } from "../cli/table.ts";
import type { Decision } from "../policy/decision.ts";
import type { CurrentEndpoint } from "../policy/input.ts";
import type { JsonObject } from "./json.ts";

/** What becomes of one address, and the endpoint that serves it now, if there is one. */
export type Explanation = { readonly decision: Decision; readonly endpoint: CurrentEndpoint | undefined };

/** A table for people. ENDPOINT is the kernel's, as it is; OUTCOME is what the policy wants. */
export function explanationTable(explanations: readonly Explanation[]): string {
  const rows = explanations.map(({ decision, endpoint }) => [
    decision.address,
    decision.interfaceName,
    describe(endpoint),
    decision.outcome,
    decision.reason,
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
  };
}

function describe(current: CurrentEndpoint | undefined): string {
  if (current === undefined) return "-";
  const { id, flags } = current.endpoint;
  return `${id} ${flags.toString()}`.trim();
}
