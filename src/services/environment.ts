/**
 * The environment that systemd gives a service, as far as it decides over LD_PRELOAD and GODEBUG. systemd.exec(5):
 * EnvironmentFile= wins over Environment=, that over what the manager passes on; UnsetEnvironment= comes last.
 */
import { environmentAssignments, environmentFiles } from "./systemd/environment.ts";
import type { Assignment } from "./systemd/unit-file.ts";
import { escapeSpecifiers, validWords } from "./systemd/words.ts";
import { settings } from "./unit-files.ts";

export type EnvironmentSources = {
  readonly assignments: readonly Assignment[];
  /** What the files named by EnvironmentFile= set, by their paths as the unit has them. */
  readonly files: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** What the manager passes on. */
  readonly inherited: ReadonlyMap<string, string>;
};

export type Variable = {
  /** From a file: literal. From Environment= or the manager: as Environment= would have it, % is a specifier. */
  readonly value: string;
  /** The EnvironmentFile= that it comes from: it beats any Environment=. */
  readonly file: string | undefined;
};

/** What a variable is before UnsetEnvironment= is applied. */
export function variableOf(name: string, sources: EnvironmentSources): Variable | undefined {
  const { assignments, files, inherited } = sources;
  const paths = environmentFiles(assignments).map(({ path }) => path);
  const inFile = paths.findLast((path) => files.get(path)?.has(name));
  const literal = inFile === undefined ? undefined : files.get(inFile)?.get(name);
  if (literal !== undefined) return { value: literal, file: inFile };
  const passed = inherited.get(name);
  const value =
    environmentAssignments(assignments).get(name) ??
    (passed === undefined ? undefined : escapeSpecifiers(passed));
  return value === undefined ? undefined : { value, file: undefined };
}

/** The UnsetEnvironment= that takes a variable of this value away. */
export function unsetting(
  name: string,
  value: string,
  assignments: readonly Assignment[],
): Assignment | undefined {
  const all = settings(assignments, "Service", "UnsetEnvironment");
  const lastReset = all.findLastIndex((assignment) => assignment.value === "");
  return all
    .slice(lastReset + 1)
    .find((assignment) =>
      validWords(assignment.value).some(({ text }) => text === name || text === `${name}=${value}`),
    );
}
