/**
 * What a thread of path managers begins with: its workerData. No schema reads it: it comes from the daemon's own code,
 * before any code of users runs in the thread, and a schema would make each start longer by 1.5 ms.
 */
import { type Config, notifyFlags, type PathRule } from "../../control/config/config.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { PluginSource } from "./plugin-config.ts";

/** Milliseconds that loading one file may take. */
export const LOAD_DEADLINE = 10_000;

/** What a thread of path managers begins with. */
export interface ThreadInput {
  readonly sources: readonly PluginSource[];
  readonly settings: Pick<
    Config,
    "pathManagers" | "plugins" | "pluginDirectory" | "pluginFaults" | "removalDelay" | "origins"
  >;
  readonly known: readonly string[];
  /** Names of path managers that are not among the sources any more, as they had too many faults. */
  readonly stopped: readonly string[];
  readonly policy: PackedPolicy;
  /** `lock`: the file that the mptcpd which may write the checkpoint has locked. */
  readonly checkpoint: { readonly file: string; readonly lock: string; readonly bootId: string };
  /** Faults so far, by path manager. */
  readonly faults: ReadonlyMap<string, number>;
  readonly debug: boolean;
  /** Load all, set them up in the simulation, say whether that works, and do no more. */
  readonly rehearsal?: boolean;
  /** Int32Array of `Pulse`. */
  readonly pulse: SharedArrayBuffer;
}

type PackedRule = Omit<PathRule, "flags"> & { readonly flags: number | undefined };

/** The policy's part of the configuration, with numbers for flags: a clone of Bits would lose its methods. */
export interface PackedPolicy {
  readonly addressFlags: number;
  readonly notifyFlags: number;
  readonly paths: readonly PackedRule[];
}

export function packPolicy(config: PolicyConfig): PackedPolicy {
  return {
    addressFlags: config.addressFlags.value,
    notifyFlags: config.notifyFlags.value,
    paths: config.paths.map((rule) => ({ ...rule, flags: rule.flags?.value })),
  };
}

export function unpackPolicy(packed: PackedPolicy): PolicyConfig {
  return {
    addressFlags: endpointFlags.from(packed.addressFlags),
    notifyFlags: notifyFlags.from(packed.notifyFlags),
    paths: packed.paths.map((rule) => ({
      ...rule,
      flags: rule.flags === undefined ? undefined : endpointFlags.from(rule.flags),
    })),
  };
}
