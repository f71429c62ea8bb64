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

interface Addition {
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
  /** The id that an address had before, so that it keeps it. */
  readonly formerId: (address: string) => number | undefined;
  /** Flags that the kernel does not know. */
  readonly droppedFlags: readonly EndpointFlag[];
}

/**
 * What leads from the kernel's endpoints to those that were decided. Endpoints of others are never named.
 * Additions come first, because deletions hold the sender in the kernel; only those that need a deleted one's
 * slot or address come after it.
 */
export function plan({ decisions, current, capacity, formerId, droppedFlags }: PlanInput): Step[] {
  const ours: Endpoint[] = [];
  for (const { endpoint, ours: isOurs } of current) if (isOurs) ours.push(endpoint);
  const changes: Step[] = [];
  const deletions: Step[] = [];
  const missing: Missing[] = [];
  const kept = new Set<Endpoint>();

  for (const { endpoint, reason } of bestFirst(decisions)) {
    const desired = droppedFlags.length === 0 ? endpoint : without(droppedFlags, endpoint);
    const existing = findExisting(ours, desired);
    if (existing === undefined) {
      missing.push({ desired, reason, replaces: undefined });
      continue;
    }
    kept.add(existing);
    const difference = compare(existing, desired);
    if (difference === "in-place") {
      changes.push({ kind: "change", endpoint: existing, flags: desired.flags, reason: "flags changed" });
    } else if (difference === "replace") {
      const why = `${describeDifference(existing, desired)}; this breaks its subflows`;
      deletions.push({ kind: "delete", endpoint: existing, reason: why });
      missing.push({ desired, reason, replaces: existing });
    }
  }
  for (const endpoint of ours) {
    if (!kept.has(endpoint))
      deletions.push({ kind: "delete", endpoint, reason: whyDeleted(decisions, endpoint) });
  }
  if (missing.length === 0) return [...changes, ...deletions];

  const additions = addAll(missing, current, formerId);
  const free = Math.max(capacity - current.length, 0);
  const early = additions.filter(({ replaces }) => replaces === undefined).slice(0, free);
  return [...early, ...changes, ...deletions, ...additions.filter((step) => !early.includes(step))];
}

/** An endpoint that has to be added. */
interface Missing {
  readonly desired: DesiredEndpoint;
  readonly reason: string;
  readonly replaces: Endpoint | undefined;
}

/** If the kernel turns out to have fewer slots than was thought, the right ones have got in. */
function bestFirst(decisions: readonly Decision[]): { endpoint: DesiredEndpoint; reason: string }[] {
  const wanted: { endpoint: DesiredEndpoint; reason: string; rank: number }[] = [];
  for (const { endpoint, reason, rank = 0 } of decisions)
    if (endpoint) wanted.push({ endpoint, reason, rank });
  return wanted.sort((a, b) => a.rank - b.rank);
}

function without(flags: readonly EndpointFlag[], endpoint: DesiredEndpoint): DesiredEndpoint {
  return { ...endpoint, flags: endpoint.flags.without(...flags) };
}

function addAll(
  missing: readonly Missing[],
  current: readonly CurrentEndpoint[],
  formerId: PlanInput["formerId"],
): Addition[] {
  const ids = new IdPool(current.map(({ endpoint }) => endpoint.id));
  return missing.map(({ desired, reason, replaces }) => {
    const { address, port, flags, ifIndex } = desired;
    const replacesImplicit = current.some(
      ({ endpoint }) => endpoint.address === address && endpoint.flags.has("implicit"),
    );
    // The kernel replaces an implicit endpoint only when it may keep that one's id (net/mptcp/pm_kernel.c).
    const id = replacesImplicit ? 0 : (replaces?.id ?? ids.take(formerId(address)));
    return { kind: "add", endpoint: { id, address, port, flags, ifIndex }, reason, replaces };
  });
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

/** What the kernel changes in place is `backup` and `fullmesh` (net/mptcp/pm_kernel.c, mptcp_pm_nl_set_flags). */
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

/** Endpoint ids, 1 to 255; 0 is the address that a connection began with (RFC 8684 section 3.1). */
class IdPool {
  readonly #taken: Set<number>;

  constructor(taken: Iterable<number>) {
    this.#taken = new Set(taken);
  }

  /** The preferred id if it is free, else the lowest free one; 0, with which the kernel chooses, if none is. */
  take(preferred: number | undefined): number {
    let id = preferred !== undefined && !this.#taken.has(preferred) ? preferred : 1;
    while (this.#taken.has(id)) id++;
    if (id > 255) return 0;
    this.#taken.add(id);
    return id;
  }
}
