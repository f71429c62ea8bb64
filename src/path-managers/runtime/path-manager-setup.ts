/** What a configuration asks for, as far as the thread of the path managers depends on it. */
import { readdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../../base/errors.ts";
import type { Config, PluginSection } from "../../control/config/config.ts";
import type { PathManagerDefinition } from "./api.ts";
import type { Prepared, Responsibility } from "./messages.ts";
import { PathManagerThread } from "./path-manager-thread.ts";
import {
  type PluginPlan,
  type PluginSource,
  planPlugins,
  unknownPathManager,
  unusedSections,
} from "./plugin-config.ts";
import { DEFAULT_PATH_MANAGER, responsibilityOf } from "./responsibility.ts";
import { PathManagersRefusedError, startThread } from "./thread-failure.ts";
import { type PackedPolicy, packPolicy, type ThreadInput } from "./thread-input.ts";

/** The path managers that are built in, by name. */
export type BuiltIn = ReadonlyMap<string, PathManagerDefinition>;

/** All that a thread of path managers depends on: another one is needed when any of it has changed. */
export interface PathManagerSetup {
  readonly plan: PluginPlan;
  readonly settings: ThreadInput["settings"];
  readonly policy: PackedPolicy;
  /** Whether the configuration asks for more than the default path manager. */
  readonly needsThread: boolean;
  readonly files: readonly string[];
}

/** Throws PathManagersRefusedError for what can be seen before anything is loaded. */
export function setupOf(config: Config, builtIn: BuiltIn): PathManagerSetup {
  const { pathManagers, plugins, pluginDirectory, pluginFaults, removalDelay, origins } = config;
  const plan = planPlugins(config, [...builtIn.keys()]);
  const names = plan.sources.map(({ name }) => name);
  const needsThread = names.some((name) => name !== DEFAULT_PATH_MANAGER);
  const unknown =
    needsThread || plan.errors.length > 0 ? [] : pathManagers.filter((name) => !names.includes(name));
  const errors = [...plan.errors, ...unknown.map((name) => unknownPathManager(name, config, plan.known))];
  if (errors.length > 0) throw new PathManagersRefusedError(errors);
  const settings = { pathManagers, plugins, pluginDirectory, pluginFaults, removalDelay, origins };
  const files = needsThread ? filesOf(plan, pluginDirectory) : [];
  return { plan, settings, policy: packPolicy(config), needsThread, files };
}

/** In which line something is written makes no difference to the path managers. */
export function isSameSetup(one: PathManagerSetup, other: PathManagerSetup): boolean {
  return isDeepStrictEqual(withoutOrigins(one), withoutOrigins(other));
}

/** Who decides what where there is no thread. */
export function responsibilityOfDefault({ plan }: PathManagerSetup, builtIn: BuiltIn): Responsibility {
  const definitions = plan.sources.flatMap(({ name }) => builtIn.get(name) ?? []);
  return responsibilityOf(definitions, []);
}

/** The thread, which knows the path managers' own names, has more. */
export function warningsOf({ plan, needsThread, settings }: PathManagerSetup): readonly string[] {
  if (needsThread) return plan.warnings;
  const names = plan.sources.map(({ name }) => name);
  return [...plan.warnings, ...unusedSections(settings.plugins, names, plan.known)];
}

/**
 * Loads path managers in a thread of their own, sets them up on a simulated copy of this host, and ends the thread.
 * Programs are not started.
 *
 * @throws PathManagersRefusedError where the thread cannot start, a plugin cannot be loaded, or its setup throws
 */
export async function rehearsePathManagers({ plan, settings, policy }: PathManagerSetup): Promise<Prepared> {
  const { sources, known } = plan;
  const checkpoint = { file: "/dev/null", lock: "/dev/null", bootId: "" };
  const nothingYet = { stopped: [], faults: new Map(), debug: false };
  const input = { sources, known, settings, policy, checkpoint, ...nothingYet, rehearsal: true };
  const ignored = { message: () => undefined, failed: () => undefined };
  const { thread, prepared } = await startThread(input, (input) => new PathManagerThread(input, ignored));
  await thread.stop();
  return prepared;
}

/** Rehearses the path managers of a configuration. Throws PathManagersRefusedError. */
export async function checkPathManagers(
  config: Config,
  builtIn: BuiltIn,
): Promise<{ readonly sources: readonly PluginSource[]; readonly warnings: readonly string[] }> {
  const setup = setupOf(config, builtIn);
  const { sources } = setup.plan;
  if (!setup.needsThread) return { sources, warnings: warningsOf(setup) };
  const { warnings } = await rehearsePathManagers(setup);
  return { sources, warnings: [...warningsOf(setup), ...warnings] };
}

function withoutOrigins(setup: PathManagerSetup): PathManagerSetup {
  const { settings, policy } = setup;
  const plugins = [...settings.plugins].map(([name, { exec, entries }]): [string, PluginSection] => {
    return [name, { exec, file: "", line: 0, entries: entries.map((entry) => ({ ...entry, line: 0 })) }];
  });
  return {
    ...setup,
    settings: { ...settings, plugins: new Map(plugins), origins: {} },
    policy: { ...policy, paths: policy.paths.map((rule) => ({ ...rule, source: "" })) },
  };
}

/**
 * What the code of path managers depends on, in a form that changes with it: programs and the scripts that they are
 * given, and all files of the plugin directory, as modules may import what lies there.
 */
function filesOf({ sources }: PluginPlan, directory: string): string[] {
  const programs = sources.flatMap((source) => (source.kind === "exec" ? source.command : []));
  const modules = sources.some(({ kind }) => kind === "file")
    ? readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()
    : [];
  const paths = [...programs.filter(isAbsolute), ...modules.map((name) => join(directory, name))];
  return paths.map((path) => `${path} ${versionOf(path)}`);
}

function versionOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    // Links may lead nowhere, and arguments need not be files.
    return messageOf(error);
  }
}
