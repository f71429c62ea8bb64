/** Whether what a drop-in of ours sets is what the unit gets: files that came later may decide otherwise. */

import type { DropIn } from "./drop-in.ts";
import { type Environment, effectiveEnvironment, shownSources } from "./environment.ts";
import { Properties } from "./systemd/shown.ts";
import type { Systemctl } from "./systemd/systemctl.ts";
import type { Assignment } from "./systemd/unit-syntax.ts";
import { laterSetting, type UnitFiles } from "./unit-files.ts";
import type { VariableName } from "./way.ts";

/** `what` of the drop-in does not hold; `where` is what decides: a file, with its line if it is a unit file. */
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
