/**
 * The ways that work by variables. The launcher has chosen the way and merged the variables (launcher.ts); this file
 * only places its result in the unit, where it takes effect.
 */

import type { Plan } from "./drop-in.ts";
import { effectiveEnvironment, withAssignments } from "./environment.ts";
import { Refusal } from "./refusal.ts";
import { hidden } from "./sandbox.ts";
import type { ServiceFacts } from "./service-facts.ts";
import { formatEnvironmentFile } from "./systemd/environment-settings.ts";
import { escapeSpecifiers, quoteWord } from "./systemd/unit-syntax.ts";
import { overriding, ownSettings, withDropIn } from "./unit.ts";
import { type VariableName, variables } from "./ways.ts";

type Variables = ReadonlyMap<VariableName, string>;

/** @param environmentFile where the plan's environment file will be, if it needs one */
export function planVariables(facts: ServiceFacts, environmentFile: string): Omit<Plan, "notes"> {
  const { unit, programs, environment, properties } = facts;
  const set = programs[0]?.inspection.set ?? new Map<string, string>();
  const preload = set.get("LD_PRELOAD");
  const library = preload === undefined ? undefined : lastEntry(preload);
  const unusable = library === undefined ? undefined : hidden(library, properties);
  if (unusable !== undefined) throw new Refusal(`${unit.name}: ${unusable}`);
  const inUnit = new Map<VariableName, string>();
  const inFile = new Map<VariableName, string>();
  for (const name of variables) {
    const value = set.get(name);
    if (value === undefined) continue;
    const file = environment.get(name)?.file;
    if (file === undefined) inUnit.set(name, asSpecifiers(value, library ?? ""));
    else {
      refuseForTemplate(facts, name, file);
      inFile.set(name, value);
    }
  }
  const lines = [
    ...[...inUnit].map(([name, value]) => `Environment=${quoteWord(`${name}=${value}`)}`),
    ...(inFile.size === 0 ? [] : [`EnvironmentFile=${escapeSpecifiers(environmentFile)}`]),
  ];
  refuseIfOverridden(facts, lines, { environmentFile, inUnit, inFile });
  return {
    way: programs.some(({ inspection }) => inspection.way === "preload") ? "preload" : "go",
    ...(library !== undefined && { library }),
    section: "Service",
    lines,
    ...(inFile.size > 0 && { environmentFile: fileHead + formatEnvironmentFile(inFile) }),
  };
}

const fileHead =
  "# Written and removed together with 50-mptcpize.conf: an EnvironmentFile= of the unit sets these, too.\n";

/** The dynamic linker takes blanks and colons between libraries (ld.so(8)); the launcher puts ours last. */
function lastEntry(preload: string): string {
  return preload.split(/[ :]/).at(-1) ?? "";
}

/** The user's part has its specifiers already; the library's path is meant as it is. */
function asSpecifiers(value: string, library: string): string {
  return value.endsWith(library) && library !== ""
    ? value.slice(0, -library.length) + escapeSpecifiers(library)
    : value;
}

/** EnvironmentFile=/etc/foo/%i differs between instances: no one value is right for all. */
function refuseForTemplate({ unit }: ServiceFacts, name: string, file: string): void {
  if (unit.template && file.includes("%"))
    throw new Refusal(
      `${unit.name}: EnvironmentFile=${file} sets ${name} for some instances: enable the instances, each by its name`,
    );
}

/** Plays through what systemd will make of the unit's files with ours among them. */
function refuseIfOverridden(
  { unit, files, environmentSources }: ServiceFacts,
  lines: readonly string[],
  ours: { readonly environmentFile: string; readonly inUnit: Variables; readonly inFile: Variables },
): void {
  const assignments = withDropIn(files, ownSettings("Service", lines));
  const ourFile = { path: escapeSpecifiers(ours.environmentFile), values: ours.inFile };
  const environment = effectiveEnvironment(withAssignments(environmentSources, assignments, ourFile));
  for (const [name, value] of [...ours.inUnit, ...ours.inFile]) {
    const variable = environment.get(name);
    const unset = variable?.unsetBy;
    if (unset !== undefined)
      throw new Refusal(
        `${unit.name}: UnsetEnvironment=${unset.value} in ${unset.file}:${unset.line} takes ${name} away`,
      );
    if (variable?.value === value) continue;
    throw overriding(
      unit.name,
      files,
      name,
      (setting) =>
        (setting.key === "Environment" && (setting.value === "" || setting.value.includes(name))) ||
        (setting.key === "EnvironmentFile" &&
          (setting.value === "" ||
            environmentSources.files.some(
              ({ path, values }) => path === setting.value.replace(/^-/, "") && values.has(name),
            ))),
    );
  }
}
