import type { Endpoint, EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { CurrentEndpoint, Decision, DesiredEndpoint } from "../policy/decision.ts";

/** One command to the kernel. */
export type Step =
  | Addition
  | {
      readonly kind: "change";
      readonly endpoint: Endpoint;
      readonly flags: Bits<EndpointFlag>;
      readonly reason: string;
    }
  | { readonly kind: "delete"; readonly endpoint: Endpoint; readonly reason: string };

export interface Addition {
  readonly kind: "add";
  readonly endpoint: Endpoint;
  readonly reason: string;
  /** Has to be deleted first. */
  readonly replaces?: Endpoint | undefined;
}

export interface PlanInput {
  readonly decisions: readonly Decision[];
  readonly current: readonly CurrentEndpoint[];
  readonly capacity: number;
  /** The id that an address had before, so that it gets the same id again. */
  readonly formerId: (address: string) => number | undefined;
  /** Flags that the kernel does not know. */
  readonly droppedFlags: readonly EndpointFlag[];
}

/**
 * The steps from the kernel's endpoints to the endpoints that were decided. The plan never touches endpoints of others.
 * Additions come first, because the kernel holds up the sender of a deletion. Only an addition that needs the slot or
 * the address of a deleted endpoint comes after that deletion.
 */
export function plan({ decisions, current, capacity, formerId, droppedFlags }: PlanInput): Step[] {
  const ours: Endpoint[] = [];
  for (const { endpoint, ours: isOurs } of current) if (isOurs) ours.push(endpoint);
  const changes: Step[] = [];
  const deletions: Step[] = [];
  const missing: Missing[] = [];
  const kept = new Set<Endpoint>();

  for (const { endpoint, reason, rank = 0 } of decisions) {
    if (endpoint === undefined) continue;
    const desired = droppedFlags.length === 0 ? endpoint : without(droppedFlags, endpoint);
    const existing = findExisting(ours, desired);
    if (existing === undefined) {
      missing.push({ desired, reason, rank, replaces: undefined });
      continue;
    }
    kept.add(existing);
    const difference = compare(existing, desired);
    if (difference === "in-place") {
      changes.push({ kind: "change", endpoint: existing, flags: desired.flags, reason: "flags changed" });
    } else if (difference === "replace") {
      const why = `${describeDifference(existing, desired)}; this breaks its subflows`;
      deletions.push({ kind: "delete", endpoint: existing, reason: why });
      missing.push({ desired, reason, rank, replaces: existing });
    }
  }
  for (const endpoint of ours) {
    if (!kept.has(endpoint))
      deletions.push({ kind: "delete", endpoint, reason: whyDeleted(decisions, endpoint) });
  }
  if (missing.length === 0) return [...changes, ...deletions];

  // The best come first: if the kernel has fewer slots than expected, they are the ones that get in.
  if (missing.length > 1) missing.sort((a, b) => a.rank - b.rank);
  const early: Step[] = [];
  const late: Step[] = [];
  for (const addition of addAll(missing, current, formerId)) {
    const hasSlot = addition.replaces === undefined && early.length < capacity - current.length;
    (hasSlot ? early : late).push(addition);
  }
  return [...early, ...changes, ...deletions, ...late];
}

/** An endpoint that has to be added. */
interface Missing {
  readonly desired: DesiredEndpoint;
  readonly reason: string;
  readonly rank: number;
  readonly replaces: Endpoint | undefined;
}

function without(flags: readonly EndpointFlag[], endpoint: DesiredEndpoint): DesiredEndpoint {
  return { ...endpoint, flags: endpoint.flags.without(...flags) };
}

function addAll(
  missing: readonly Missing[],
  current: readonly CurrentEndpoint[],
  formerId: PlanInput["formerId"],
): Addition[] {
  const taken = new Set<number>();
  for (const { endpoint } of current) taken.add(endpoint.id);
  const additions: Addition[] = [];
  for (const { desired, reason, replaces } of missing) {
    const { address, port, flags, ifIndex } = desired;
    let id = replaces?.id;
    // The kernel replaces an implicit endpoint only if it may keep the id of that endpoint (net/mptcp/pm_kernel.c).
    for (const { endpoint } of current)
      if (endpoint.address === address && endpoint.flags.has("implicit")) id = 0;
    id ??= takeId(taken, formerId(address));
    additions.push({ kind: "add", endpoint: { id, address, port, flags, ifIndex }, reason, replaces });
  }
  return additions;
}

function findExisting(ours: readonly Endpoint[], { address, port }: DesiredEndpoint): Endpoint | undefined {
  let found: Endpoint | undefined;
  for (const endpoint of ours) {
    if (endpoint.address !== address) continue;
    if (endpoint.port === port) return endpoint;
    found ??= endpoint;
  }
  return found;
}

/** The kernel changes only `backup` and `fullmesh` in place (net/mptcp/pm_kernel.c, mptcp_pm_nl_set_flags). */
function compare(existing: Endpoint, desired: DesiredEndpoint): "same" | "in-place" | "replace" {
  if (existing.port !== desired.port || existing.ifIndex !== desired.ifIndex) return "replace";
  if (existing.flags.equals(desired.flags)) return "same";
  const fixed = (flags: Bits<EndpointFlag>): number => flags.without("backup", "fullmesh").value;
  return fixed(existing.flags) === fixed(desired.flags) ? "in-place" : "replace";
}

function describeDifference(existing: Endpoint, desired: DesiredEndpoint): string {
  if (existing.ifIndex !== desired.ifIndex) return "its address moved to another interface";
  if (existing.port !== desired.port) return `port ${existing.port} becomes ${desired.port}`;
  return `flags ${existing.flags.toString() || "none"} become ${desired.flags.toString() || "none"}`;
}

function whyDeleted(decisions: readonly Decision[], endpoint: Endpoint): string {
  const own = decisions.filter(({ address }) => address === endpoint.address);
  const decision = own.find(({ ifIndex }) => ifIndex === endpoint.ifIndex) ?? own[0];
  return decision?.reason ?? "no longer an address of this host";
}

/**
 * Takes an endpoint id, 1 to 255; 0 is the address that a connection began with (RFC 8684, section 3.1).
 *
 * @returns the preferred id if it is free, else the lowest free id; 0 if no id is free: then the kernel chooses
 */
export function takeId(taken: Set<number>, preferred: number | undefined): number {
  let id = preferred !== undefined && !taken.has(preferred) ? preferred : 1;
  while (taken.has(id)) id++;
  if (id > 255) return 0;
  taken.add(id);
  return id;
}
