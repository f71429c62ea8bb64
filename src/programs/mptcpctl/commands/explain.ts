/** `mptcpctl explain`: what the policy decides now for this network, configuration and the kernel's endpoints. */

import { table } from "../../../base/command-line/terminal.ts";
import type { Network } from "../../../control/network/network.ts";
import { readNetworkOnce } from "../../../control/network/read.ts";
import {
  type CurrentEndpoint,
  type Decision,
  markRefused,
  type Refusal,
} from "../../../control/policy/decision.ts";
import type { PolicyInput } from "../../../control/policy/input.ts";
import { decide } from "../../../control/policy/policy.ts";
import { canonicalIp } from "../../../kernel/netlink/ip.ts";
import { Sysctls } from "../../../kernel/sysctl.ts";
import { ambiguous, linksNamed } from "../io/interfaces.ts";
import { type JsonObject, jsonList } from "../io/ip-format.ts";
import { withPathManager } from "../io/kernel-access.ts";
import { configOf, ledgerOf, type PolicyOptions, refusalsOf, wantedOf } from "../io/mptcpd-state.ts";
import { CommandError, type CommandOutput, UsageError } from "../io/output.ts";

export async function runExplain(
  words: readonly string[],
  options: PolicyOptions,
  output: CommandOutput,
): Promise<void> {
  const [subject, ...more] = words;
  if (more.length > 0) throw new UsageError("explain: one ADDRESS or one INTERFACE, or none for all");
  const config = configOf(options, output);
  const network = await readNetworkOnce();
  const ledger = ledgerOf(options, output);
  const current = await withPathManager(async (pm) =>
    (await pm.dumpEndpoints()).map((endpoint) => ({ endpoint, ours: ledger.owns(endpoint) })),
  );
  const wanted = wantedOf(options, config, output);
  const refusals = refusalsOf(options, output);
  const { removalDelay } = config;
  const explanations = explain(
    { network, config, wanted, current, removalDelay, capacity: ledger.capacity },
    refusals,
  );
  const shown = subject === undefined ? explanations : select(explanations, network, subject);
  output.write(
    output.json ? jsonList(shown.map(explanationObject), output.pretty) : explanationTable(shown, Date.now()),
  );
  warnOfSysctls(new Sysctls(), output);
}

/** The policy's decisions, each with the endpoint that its address has now. */
function explain(
  {
    capacity = mostEndpoints,
    ...facts
  }: Omit<PolicyInput, "capacity" | "expired"> & { readonly capacity: number | undefined },
  refusals: readonly Refusal[],
): Explanation[] {
  // Only a running mptcpd knows how long an address has been gone: assume that no endpoint is overdue for removal.
  const decided = decide({ ...facts, capacity, expired: new Set() });
  const decisions = markRefused(decided, refusals, facts.current);
  const byInterface = decisions.toSorted((a, b) => a.ifIndex - b.ifIndex);
  return byInterface.map((decision) => ({ decision, endpoint: servingEndpoint(decision, facts.current) }));
}

/** Endpoint ids are 1 to 255, so no kernel holds more. A kernel's own limit shows only when it refuses an endpoint. */
const mostEndpoints = 255;

function servingEndpoint({ address, ifIndex }: Decision, current: readonly CurrentEndpoint[]) {
  return current.find(
    ({ endpoint }) =>
      endpoint.address === address && (endpoint.ifIndex === ifIndex || endpoint.ifIndex === 0),
  );
}

function select(explanations: readonly Explanation[], network: Network, subject: string): Explanation[] {
  const address = canonicalIp(subject);
  if (address !== undefined) {
    const found = explanations.filter(({ decision }) => decision.address === address);
    if (found.length > 0) return found;
    throw new CommandError("EADDRNOTAVAIL", `cannot explain ${subject}: no interface has this address`);
  }
  const [link, other] = linksNamed(subject, network.links.values());
  if (link !== undefined && other !== undefined) throw ambiguous(subject, "explain it", link, other);
  if (link !== undefined) return explanations.filter(({ decision }) => decision.ifIndex === link.index);
  throw new CommandError(
    "ENODEV",
    `cannot explain ${subject}: there is no such interface, and it is not an address`,
  );
}

/** Warns of kernel settings that make all endpoints useless. */
function warnOfSysctls(sysctls: Sysctls, output: CommandOutput): void {
  if (sysctls.mptcp("enabled") === false)
    output.warn(
      "net.mptcp.enabled is 0: no program gets MPTCP here; `sysctl -w net.mptcp.enabled=1` switches it on",
    );
  const manager = sysctls.pathManager();
  if (manager !== undefined && manager !== "kernel")
    output.warn(`net.mptcp.path_manager is ${manager}: new connections use no endpoints of the kernel`);
}

/** The decision for one address, and the endpoint that it has now, if any. */
export type Explanation = { readonly decision: Decision; readonly endpoint: CurrentEndpoint | undefined };

/**
 * A table for people. ENDPOINT is the kernel's current endpoint; OUTCOME is what the policy wants, or that the kernel
 * refused it.
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

/** Fields that `ip -j mptcp endpoint` has keep their names. `code` is the reason in one word. */
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

/** `retry_at` is written as in RFC 3339. */
function refusalObject({ action, code, words, attempts, retryAt }: Refusal): JsonObject {
  return { action, code, words, attempts, retry_at: new Date(retryAt).toISOString() };
}

/** Milliseconds. If an attempt is later than this, mptcpd is probably not running. */
const LATE = 10_000;

function nextAttempt({ refusal }: Decision, now: number): string {
  if (refusal === undefined) return "";
  const left = refusal.retryAt - now;
  const times = refusal.attempts === 1 ? "tried once" : `tried ${refusal.attempts} times`;
  if (left < -LATE) return `; ${times}, the next attempt is overdue: is mptcpd running?`;
  return `; ${times}, next in ${Math.max(Math.ceil(left / 1000), 0)} s`;
}

function describe(current: CurrentEndpoint | undefined): string {
  if (current === undefined) return "-";
  const { id, flags } = current.endpoint;
  return `${id} ${flags.toString()}`.trim();
}
