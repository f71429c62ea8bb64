/**
 * The environment that systemd gives a service. Only this file knows the precedence of systemd.exec(5). In systemd, it
 * is the order of the calls of strv_env_merge() and strv_env_delete() at the start of a service (exec_child() in
 * src/core/execute.c; since 255 exec_invoke() in src/core/exec-invoke.c).
 */

import { splitAssignment } from "../base/text.ts";
import {
  environmentAssignments,
  environmentFiles,
  readEnvironmentFiles,
} from "./systemd/environment-settings.ts";
import { environmentFilesOf, Properties, type Systemctl } from "./systemd/systemctl.ts";
import { type Assignment, escapeSpecifiers, validWords } from "./systemd/unit-syntax.ts";
import { settings } from "./unit.ts";

type Values = ReadonlyMap<string, string>;

/** Everything that sets or unsets a variable. Each source overrides the sources above it. */
export type EnvironmentSources = {
  /** The variables that the manager gives to every service. */
  readonly manager: Values;
  /** The variables of the manager's process that PassEnvironment= names. */
  readonly passed: Values;
  /** Environment=. */
  readonly assigned: Values;
  /** EnvironmentFile=, in the order in which systemd reads the files. */
  readonly files: readonly EnvironmentFileValues[];
  /** UnsetEnvironment=, as written in the unit. */
  readonly unset: readonly Assignment[];
};

export type EnvironmentFileValues = {
  /** As written in the source: it may contain specifiers, or be a glob. */
  readonly path: string;
  readonly values: Values;
};

export type Variable = {
  /** The value for the service, unless `unsetBy` removes it. Written as in the source that sets it. */
  readonly value: string;
  /** The path of the EnvironmentFile= that sets it. No Environment= can override that. */
  readonly file: string | undefined;
  /** The UnsetEnvironment= that removes the variable. */
  readonly unsetBy: Assignment | undefined;
};

export type Environment = ReadonlyMap<string, Variable>;

export function effectiveEnvironment(sources: EnvironmentSources): Environment {
  const { manager, passed, assigned, files, unset } = sources;
  const layers = [...[manager, passed, assigned].map((values) => ({ path: undefined, values })), ...files];
  const environment = new Map<string, Variable>();
  for (const { path, values } of layers)
    for (const [name, value] of values)
      environment.set(name, { value, file: path, unsetBy: unsetting(name, value, unset) });
  return environment;
}

/**
 * The sources as written in the files of a unit. The values of `manager`, `passed` and Environment= are written as for
 * Environment=, where % begins a specifier. The values of environment files are literal.
 *
 * @param outside literal values: those that the manager passes on, and those of each EnvironmentFile= by its path as
 * written
 */
export function writtenSources(
  assignments: readonly Assignment[],
  outside: { readonly manager: Values; readonly passed: Values; readonly files: ReadonlyMap<string, Values> },
): EnvironmentSources {
  return {
    manager: escaped(outside.manager),
    passed: escaped(outside.passed),
    ...inUnit(assignments, outside.files),
  };
}

/** The same sources after the unit has got these assignments, which may name one more file. */
export function withAssignments(
  sources: EnvironmentSources,
  assignments: readonly Assignment[],
  added: EnvironmentFileValues,
): EnvironmentSources {
  const files = new Map([...sources.files, added].map(({ path, values }) => [path, values]));
  return { ...sources, ...inUnit(assignments, files) };
}

function inUnit(
  assignments: readonly Assignment[],
  files: ReadonlyMap<string, Values>,
): Pick<EnvironmentSources, "assigned" | "files" | "unset"> {
  return {
    assigned: environmentAssignments(assignments),
    files: environmentFiles(assignments).map(({ path }) => ({ path, values: files.get(path) ?? new Map() })),
    unset: settings(assignments, "Service", "UnsetEnvironment"),
  };
}

/**
 * The sources as systemd shows them, with specifiers expanded and with the drop-ins of mptcpize. They leave out the
 * variables that the manager passes on, because those cannot override a drop-in.
 *
 * @param assignments of the unit's files, for UnsetEnvironment=
 */
export async function shownSources(
  unit: string,
  assignments: readonly Assignment[],
  systemctl: Systemctl,
): Promise<EnvironmentSources> {
  const assigned = await systemctl.shownEnvironment(unit);
  const shown = new Properties(await systemctl.show(unit, ["EnvironmentFiles"]));
  return {
    manager: new Map(),
    passed: new Map(),
    assigned: new Map(assigned.map(splitAssignment)),
    files: environmentFilesOf(shown).map((path) => ({ path, values: readEnvironmentFiles(path) })),
    unset: settings(assignments, "Service", "UnsetEnvironment"),
  };
}

/** The setting that removes a variable with this value. An empty setting cancels the settings before it. */
function unsetting(name: string, value: string, unset: readonly Assignment[]): Assignment | undefined {
  const lastReset = unset.findLastIndex((assignment) => assignment.value === "");
  return unset
    .slice(lastReset + 1)
    .find((assignment) =>
      validWords(assignment.value).some(({ text }) => text === name || text === `${name}=${value}`),
    );
}

function escaped(values: Values): Values {
  return new Map([...values].map(([name, value]) => [name, escapeSpecifiers(value)]));
}
