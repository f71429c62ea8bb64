import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasCode, messageOf } from "../../base/errors.ts";
import { isWorldWritable } from "../../base/files.ts";
import { all, didYouMean, quote } from "../../base/text.ts";
import { type Config, defaultPluginDirectory, type PluginSection } from "../../control/config/config.ts";
import { readSection } from "../../control/config/schema.ts";
import type { PathManagerDefinition } from "./api.ts";

/** A plugin that is to be loaded, and where it is from. */
export type PluginSource =
  | { readonly kind: "built-in"; readonly name: string }
  /** `required`: it was named, so that mptcpd cannot do without it. */
  | { readonly kind: "file"; readonly name: string; readonly path: string; readonly required: boolean }
  | { readonly kind: "exec"; readonly name: string; readonly command: readonly [string, ...string[]] };

export interface PluginPlan {
  /** In the order in which they are loaded. */
  readonly sources: readonly PluginSource[];
  /** Why mptcpd cannot run by this configuration, a line each. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** All names that could be loaded. */
  readonly known: readonly string[];
}

export type PluginSettings = Pick<
  Config,
  "pluginDirectory" | "pathManagers" | "loadPlugins" | "plugins" | "origins"
>;

/**
 * Which plugins a configuration asks for. `load-plugins` names them; without it they are addr_adv, all of the plugin
 * directory and all [plugin] sections that name a program. Those of `path-manager` are loaded in any case.
 *
 * @param builtIn the names of those that are built in; a file or program of the same name takes the place of one
 */
export function planPlugins(settings: PluginSettings, builtIn: readonly string[]): PluginPlan {
  const { pluginDirectory: directory, pathManagers, loadPlugins, plugins, origins } = settings;
  const { files, modules, errors, warnings } = readDirectory(directory);
  const programs = new Map([...plugins].flatMap(([name, { exec }]) => (exec ? [[name, exec]] : [])));
  const known = [...new Set([...builtIn, ...files.keys(), ...programs.keys()])].sort();
  const byDefault = ["addr_adv", ...[...files.keys()].sort(), ...programs.keys()];
  const named = new Set([...(loadPlugins ?? []), ...pathManagers]);
  const sources: PluginSource[] = [];
  const unknown: string[] = [];
  for (const name of new Set([...(loadPlugins ?? byDefault), ...pathManagers])) {
    const command = programs.get(name);
    const path = files.get(name);
    if (command !== undefined) sources.push({ kind: "exec", name, command });
    else if (path !== undefined) sources.push({ kind: "file", name, path, required: named.has(name) });
    else if (builtIn.includes(name)) sources.push({ kind: "built-in", name });
    // A module may give itself another name than its file has: that is seen when it is loaded.
    else if (loadPlugins?.includes(name))
      unknown.push(`${origins.loadPlugins ?? "load-plugins"}: ${unknownName(name, known, directory)}`);
  }
  if (modules.length > 0) warnings.push(cModules(modules, directory));
  // Of a directory that is refused nobody knows what is in it.
  if (errors.length === 0) errors.push(...unknown);
  return { sources, errors, warnings, known };
}

/** A name in `path-manager` that no plugin has. */
export function unknownPathManager(
  name: string,
  { pluginDirectory, origins }: Pick<Config, "pluginDirectory" | "origins">,
  known: readonly string[],
): string {
  return `${origins.pathManagers ?? "path-manager"}: ${unknownName(name, known, pluginDirectory)}`;
}

/** "no plugin has the name wify (did you mean wifi?): known are …". */
function unknownName(name: string, known: readonly string[], directory: string): string {
  const shown = `${quote(name)}${didYouMean(name, known)}`;
  return `no plugin has the name ${shown}: known are ${all(known)}; others go into ${directory} as NAME.js, NAME.mjs or NAME.ts`;
}

/** [plugin NAME] sections of plugins that are not loaded, with what to do where `known` tells. */
export function unusedSections(
  plugins: ReadonlyMap<string, PluginSection>,
  loaded: readonly string[],
  known: readonly string[],
): string[] {
  return [...plugins].flatMap(([name, { file, line }]) => {
    if (loaded.includes(name)) return [];
    const advice = known.includes(name)
      ? "; name it in path-manager or load-plugins"
      : didYouMean(name, [...new Set([...known, ...loaded])]);
    return `${file}:${line}: [plugin ${name}] has no effect: no plugin of that name is loaded${advice}`;
  });
}

/** The modules of a plugin directory; of several of one name, the first of these counts. */
const extensions = [".js", ".mjs", ".ts"];

/** Declarations, and tests, which would run where they are loaded. */
function isBeside(name: string): boolean {
  return name.endsWith(".d.ts") || /\.test\.[a-z]+$/.test(name);
}

function readDirectory(directory: string) {
  const files = new Map<string, string>();
  const modules: string[] = [];
  const errors: string[] = [];
  const warnings: string[] = [];
  try {
    const status = statSync(directory);
    if (!status.isDirectory())
      errors.push(`plugin-dir=${directory} is not a directory: correct it or leave it out`);
    else if (isWorldWritable(status))
      errors.push(
        `everybody may write to plugin-dir=${directory}: take that away with chmod o-w ${directory}`,
      );
    else {
      // What editors leave about begins with a dot.
      const names = readdirSync(directory)
        .filter((name) => !name.startsWith("."))
        .sort();
      modules.push(...names.filter((name) => name.endsWith(".so")));
      for (const extension of extensions.toReversed())
        for (const name of names)
          if (name.endsWith(extension) && !isBeside(name))
            files.set(name.slice(0, -extension.length), join(directory, name));
    }
  } catch (error) {
    const isMissing = hasCode(error, "ENOENT");
    // Nobody asked for the default directory, and nothing need be in it.
    if (!isMissing || directory !== defaultPluginDirectory) {
      const what = isMissing ? "does not exist" : `cannot be read (${messageOf(error)})`;
      warnings.push(`plugin-dir=${directory} ${what}: correct it or leave it out`);
    }
  }
  return { files, modules, errors, warnings };
}

function cModules(modules: readonly string[], directory: string): string {
  return (
    `plugins of the C mptcpd are not loaded: ${all(modules)} in ${directory}; addr_adv and sspi are built in; ` +
    "remove the files, or the package that they are from, when nothing else needs them"
  );
}

/** Options that a path manager cannot have. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
  readonly code = "EOPTIONS";
  /** "FILE:LINE: what, and what is allowed". */
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** What a [plugin NAME] section says, by the path manager's own schema. Throws OptionsError. */
export function readOptions(
  { name, options }: PathManagerDefinition,
  section: PluginSection | undefined,
): unknown {
  const { entries = [], file = "", line = 0 } = section ?? {};
  const at = (fault: { readonly line: number; readonly message: string }): string =>
    `${file}:${fault.line}: ${fault.message}`;
  if (options === undefined) {
    if (entries.length === 0) return {};
    const lines = entries.map((entry) => at({ line: entry.line, message: `${name} takes no options` }));
    throw new OptionsError(lines);
  }
  const { values, faults, unknownKeys } = readSection(options, { name: `plugin ${name}`, line, entries });
  const all = [...unknownKeys, ...faults];
  if (all.length === 0) return values;
  throw new OptionsError(
    all.map((fault) => (section ? at(fault) : `${fault.message}; it goes into a section [plugin ${name}]`)),
  );
}
