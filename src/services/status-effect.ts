/**
 * Finds out whether a drop-in takes effect: in the unit, where a later file may override it, and in processes, which
 * may have started before it was written.
 */

import { basename } from "node:path";
import type { Process, Processes } from "../kernel/processes.ts";
import type { DropIn } from "./drop-in.ts";
import { type Environment, effectiveEnvironment, shownSources } from "./environment.ts";
import { Properties, type Systemctl } from "./systemd/systemctl.ts";
import type { Assignment } from "./systemd/unit-syntax.ts";
import { laterSetting, type UnitFiles } from "./unit.ts";
import type { VariableName } from "./ways.ts";

/** `what` is a setting without effect. `where` is the file that overrides it, with the line if it is a unit file. */
export type Overridden = { readonly what: string; readonly where: string };

export async function findOverridden(
  unit: string,
  dropIn: DropIn,
  files: UnitFiles,
  systemctl: Systemctl,
): Promise<Overridden | undefined> {
  const { way, library = "", launcher = "" } = dropIn;
  if (way === "seccomp") {
    const shown = new Properties(await systemctl.show(unit, ["ExecStart"]));
    if (shown.lines("ExecStart").every((line) => line.startsWith(`{ path=${launcher} ;`))) return undefined;
    return { what: "ExecStart=", where: place(files, ({ key }) => key === "ExecStart") };
  }
  if (way === "preload" || way === "go") {
    const environment = effectiveEnvironment(await shownSources(unit, files.assignments, systemctl));
    return (
      (library && findOverriddenVariable("LD_PRELOAD", library, environment, files)) ||
      findOverriddenVariable("GODEBUG", "multipathtcp=1", environment, files)
    );
  }
  return undefined;
}

function findOverriddenVariable(
  name: VariableName,
  wanted: string,
  environment: Environment,
  files: UnitFiles,
): Overridden | undefined {
  const { value = "", file, unsetBy } = environment.get(name) ?? {};
  if (!value.includes(wanted)) {
    const where =
      file ??
      place(files, ({ key, value: text }) => key === "Environment" && (text === "" || text.includes(name)));
    return { what: name, where };
  }
  return unsetBy && { what: name, where: placeOf(unsetBy) };
}

function place(files: UnitFiles, fits: (assignment: Assignment) => boolean): string {
  const setting = laterSetting(files, fits);
  return setting === undefined ? "another file" : placeOf(setting);
}

function placeOf({ file, line }: Assignment): string {
  return `${file}:${line}`;
}

/** The process name that native/launcher/supervisor.c sets. */
export const supervisorName = "mptcpize";

/** Whether any version of libmptcpwrap.so is loaded. */
export function hasLibrary(pid: number, processes: Processes): boolean | undefined {
  const files = processes.mappedFiles(pid);
  return files && [...files].some((file) => basename(file).startsWith("libmptcpwrap.so"));
}

/** Whether the process has the GODEBUG setting that makes a Go program use MPTCP. */
export function hasGoVariable(pid: number, processes: Processes): boolean | undefined {
  const environment = processes.environment(pid);
  return environment && /(?:^|,)multipathtcp=1(?:,|$)/.test(environment.get("GODEBUG") ?? "");
}

/**
 * Processes of a unit that is not enabled that mptcpize still affects. There are none if the unit's own settings use
 * mptcpize.
 */
export function leftProcesses(
  members: readonly Process[],
  shown: Properties,
  processes: Processes,
): Process[] {
  const own = [...shown.lines("ExecStart"), ...shown.lines("Environment")].join(" ");
  if (/mptcpize|mptcpwrap|multipathtcp=/.test(own)) return [];
  return members.filter(
    ({ pid, name }) => name === supervisorName || hasLibrary(pid, processes) || hasGoVariable(pid, processes),
  );
}
