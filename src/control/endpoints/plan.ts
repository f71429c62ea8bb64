import type { Endpoint, EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { CurrentEndpoint, Decision, DesiredEndpoint } from "../policy/decision.ts";

/** One command to the kernel. */
export type Step =
  | {
      readonly kind: "add";
      readonly endpoint: Endpoint;
      readonly reason: string;
      /** Has to be deleted first. */
      readonly replaces?: Endpoint | undefined;
    }
  | {
      readonly kind: "change";
      readonly endpoint: Endpoint;
      readonly flags: Bits<EndpointFlag>;
      readonly reason: string;
    }
  | { readonly kind: "delete"; readonly endpoint: Endpoint; readonly reason: string };

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
  const ours = current.filter((entry) => entry.ours).map(({ endpoint }) => endpoint);
  const changes: Step[] = [];
  const deletions: Step[] = [];
  const missing: { desired: DesiredEndpoint; reason: string; replaces: Endpoint | undefined }[] = [];
  const kept = new Set<Endpoint>();

  // Best first: if the kernel turns out to have fewer slots than was thought, the right ones have got in.
  for (const { endpoint, reason } of decisions.toSorted((a, b) => (a.rank ?? 0) - (b.rank ?? 0))) {
    if (!endpoint) continue;
    const desired = { ...endpoint, flags: endpoint.flags.without(...droppedFlags) };
    const existing = findExisting(ours, desired);
    const difference = existing && compare(existing, desired);
    if (existing) kept.add(existing);
    if (!existing) missing.push({ desired, reason, replaces: undefined });
    else if (difference === "in-place") {
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

  const ids = new IdPool(current.map(({ endpoint }) => endpoint.id));
  const additions = missing.map(({ desired, reason, replaces }): Step => {
    const replacesImplicit = current.some(
      ({ endpoint }) => endpoint.address === desired.address && endpoint.flags.has("implicit"),
    );
    // The kernel replaces an implicit endpoint only when it may keep that one's id (net/mptcp/pm_kernel.c).
    const id = replacesImplicit ? 0 : (replaces?.id ?? ids.take(formerId(desired.address)));
    return { kind: "add", endpoint: { ...desired, id }, reason, replaces };
  });
  const free = Math.max(capacity - current.length, 0);
  const early = additions.filter((_, index) => !missing[index]?.replaces).slice(0, free);
  return [...early, ...changes, ...deletions, ...additions.filter((step) => !early.includes(step))];
}

function findExisting(ours: readonly Endpoint[], desired: DesiredEndpoint): Endpoint | undefined {
  const sameAddress = ours.filter(({ address }) => address === desired.address);
  return sameAddress.find(({ port }) => port === desired.port) ?? sameAddress[0];
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
