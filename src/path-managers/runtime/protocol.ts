/** What the thread of the path managers and the daemon tell each other. Plain data: it is cloned on its way. */

import type { Fields, Level } from "../../base/log/log.ts";
import type { Config, PathRule } from "../../control/config/config.ts";
import { notifyFlags } from "../../control/config/config.ts";
import type { PolicyConfig } from "../../control/policy/eligibility.ts";
import type { WantedEndpoint, WantedEndpoints } from "../../control/policy/wanted-endpoints.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { HandlerName } from "./api.ts";
import type { PackedCommand, PackedError } from "./endpoint-requests.ts";
import type { PluginSource } from "./sources.ts";
import { handlerNames } from "./telling.ts";

/** Milliseconds that loading one file may take. */
export const LOAD_DEADLINE = 10_000;
/** Milliseconds that a path manager may take to begin. */
export const SETUP_DEADLINE = 10_000;

/** What a thread of path managers begins with. */
export interface WorkerInput {
  readonly sources: readonly PluginSource[];
  readonly settings: Pick<
    Config,
    "pathManagers" | "plugins" | "pluginDirectory" | "pluginFaults" | "removalDelay" | "origins"
  >;
  readonly known: readonly string[];
  /** Names of plugins that are not among the sources any more, as they had too many faults. */
  readonly stopped: readonly string[];
  readonly policy: PackedPolicy;
  readonly checkpoint: { readonly file: string; readonly bootId: string };
  /** Faults so far, by plugin. */
  readonly faults: ReadonlyMap<string, number>;
  readonly debug: boolean;
  /** Load all, set them up in the simulation, say whether that works, and do no more. */
  readonly rehearsal?: boolean;
  /** Int32Array of `Pulse`. */
  readonly pulse: SharedArrayBuffer;
}

export type ToWorker =
  /** Goes to work: nobody else does any more; `withoutGap`: but somebody did until now. */
  | { readonly kind: "takeOver"; readonly withoutGap: boolean }
  | { readonly kind: "stop" }
  /** A command for endpoints was carried out, or refused. */
  | { readonly kind: "answer"; readonly request: number; readonly error: PackedError | undefined };

export type FromWorker =
  | { readonly kind: "log"; readonly level: Level; readonly message: string; readonly fields: Fields }
  /** All is loaded. What is yet to come depends on the kernel, not on plugins. */
  | { readonly kind: "loaded"; readonly plugins: readonly NamedPlugin[] }
  /** The network is known as well; it waits for `takeOver`. */
  | {
      readonly kind: "prepared";
      /** As `Pulse.plugin` counts them, from 1. */
      readonly plugins: readonly NamedPlugin[];
      readonly warnings: readonly string[];
      readonly charge: Charge;
    }
  /** It cannot be: why, a line each. */
  | { readonly kind: "refused"; readonly errors: readonly string[] }
  /** All connections that there are were told. `failed`: why path managers could not be set up, a line each. */
  | { readonly kind: "running"; readonly failed: readonly string[] }
  | { readonly kind: "charge"; readonly charge: Charge }
  | { readonly kind: "fault"; readonly plugin: string; readonly count: number }
  | { readonly kind: "wanted"; readonly wanted: PackedWanted }
  /** A command for endpoints; `answer` has the same number. */
  | { readonly kind: "endpoints"; readonly request: number; readonly command: PackedCommand }
  /** After `stop`: everything is put away. */
  | { readonly kind: "stopped" };

export interface NamedPlugin {
  readonly name: string;
  /** That it was loaded from; undefined where it is built in, or a program. */
  readonly file: string | undefined;
}

/** Who decides what. */
export interface Charge {
  /** Over connections. */
  readonly connections: readonly string[];
  /** What the kernel's path manager has to be for that. */
  readonly needs: "userspace" | "kernel" | "any";
  /** Over endpoints; undefined: nobody. */
  readonly endpoints: string | undefined;
}

/**
 * Places of the shared memory by which the daemon sees whether the thread is alive, what it is at (`loading`: which of the
 * sources, from 1), what memory it holds beside its objects (MiB), who it is for the kernel, and whether it is in a request to the kernel (1).
 */
export const Pulse = {
  ...{ beats: 0, plugin: 1, event: 2, thread: 3, loading: 4, buffers: 5, request: 6 },
  length: 7,
} as const;

/** The events that `Pulse.event` counts, from 1. */
export const pulseEvents: readonly (HandlerName | "setup" | "endpoints" | "timer")[] = [
  "setup",
  "endpoints",
  "timer",
  ...handlerNames,
];

type PackedRule = Omit<PathRule, "flags"> & { readonly flags: number | undefined };
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

type PackedEndpoint = Omit<WantedEndpoint, "flags"> & { readonly flags: number };
export interface PackedWanted {
  readonly by: string;
  readonly endpoints: readonly PackedEndpoint[];
}

export function packWanted({ by, endpoints }: WantedEndpoints): PackedWanted {
  return { by, endpoints: endpoints.map((wish) => ({ ...wish, flags: wish.flags.value })) };
}

export function unpackWanted({ by, endpoints }: PackedWanted): WantedEndpoints {
  return { by, endpoints: endpoints.map((wish) => ({ ...wish, flags: endpointFlags.from(wish.flags) })) };
}
