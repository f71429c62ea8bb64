/**
 * The environment that systemd gives a service. The precedence of systemd.exec(5) stands here and nowhere else;
 * systemd has it where it calls strv_env_merge() and strv_env_delete() to start a service (exec_child() of
 * src/core/execute.c; since 255 exec_invoke() of src/core/exec-invoke.c).
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

/** Everything that sets or unsets a variable. Each source wins over those above it. */
export type EnvironmentSources = {
  /** The manager's own variables, which every service gets. */
  readonly manager: Values;
  /** The variables of the manager's process that PassEnvironment= names. */
  readonly passed: Values;
  /** Environment=. */
  readonly assigned: Values;
  /** EnvironmentFile=, in the order in which systemd reads the files. */
  readonly files: readonly EnvironmentFileValues[];
  /** UnsetEnvironment=, as the unit has it. */
  readonly unset: readonly Assignment[];
};

export type EnvironmentFileValues = {
  /** As the source names the file: it may have specifiers or be a glob. */
  readonly path: string;
  readonly values: Values;
};

export type Variable = {
  /** What the service gets, unless `unsetBy` takes it away. Spelled as the source that sets it spells it. */
  readonly value: string;
  /** The EnvironmentFile= that sets it, by its path: no Environment= can win over it. */
  readonly file: string | undefined;
  /** The UnsetEnvironment= that takes the variable away. */
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
 * The sources as the files of a unit have them. The values of `manager`, `passed` and Environment= are spelled for
 * Environment=, where % is a specifier; those of files are literal.
 *
 * @param outside what the manager passes on, literal, and the values of each EnvironmentFile= by its path as written
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

/** The same sources after the unit has changed to these assignments, which may name one more file. */
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
 * The sources as systemd shows them, specifiers expanded: with the drop-ins of mptcpize. Without what the manager
 * passes on, which cannot hide what a drop-in sets.
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

/** The setting that takes a variable of this value away; an empty one takes back those before it. */
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
