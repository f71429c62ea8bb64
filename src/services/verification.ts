/** Checks that systemd reads a drop-in as planned: the unit as before, with our settings added. */

import { environmentFileBeside, isOwnEnvironmentFile, type Plan } from "./drop-in.ts";
import { Refusal } from "./refusal.ts";
import { environmentAssignments } from "./systemd/environment-settings.ts";
import { environmentFilesOf, Properties, type Systemctl } from "./systemd/systemctl.ts";
import { ownSettings } from "./unit.ts";
import { type VariableName, variables } from "./ways.ts";

/** The properties of a unit that enabling must keep, or change only as planned. */
export type Snapshot = {
  /** "NAME=VALUE" of each variable in Environment=. */
  readonly environment: readonly string[];
  readonly properties: Properties;
};

export async function takeSnapshot(unit: string, systemctl: Systemctl): Promise<Snapshot> {
  return {
    environment: await systemctl.shownEnvironment(unit),
    properties: new Properties(
      await systemctl.show(unit, ["LoadState", "DropInPaths", "EnvironmentFiles", "ExecStart"]),
    ),
  };
}

export type Expected = { readonly path: string; readonly plan: Plan };

/** Throws a Refusal that names what systemd reads differently. */
export function verify(unit: string, before: Snapshot, after: Snapshot, expected: Expected): void {
  const fault = findFault(before, after, expected);
  if (fault !== undefined)
    throw new Refusal(`${unit}: with ${expected.path}, ${fault}; mptcpize has undone the change`);
}

function findFault(before: Snapshot, after: Snapshot, { path, plan }: Expected) {
  const state = after.properties.text("LoadState");
  if (state !== "loaded") return `systemd cannot load the unit (${state})`;
  if (!after.properties.words("DropInPaths").includes(path)) return "systemd does not read that file";
  const lost = without(before.environment).find((entry) => !after.environment.includes(entry));
  if (lost !== undefined) return `the unit would lose Environment=${lost}`;
  if (foreignFiles(after) !== foreignFiles(before)) return "the unit would read other environment files";
  const lastFile = environmentFilesOf(after.properties).at(-1);
  if (plan.environmentFile !== undefined && lastFile !== environmentFileBeside(path))
    return `the unit would not read ${environmentFileBeside(path)} last`;
  const own = environmentAssignments(ownSettings(plan.section, plan.lines));
  for (const [name, value] of own)
    if (!after.environment.some((entry) => isAssignment(entry, name, value)))
      return `${name} would have another value than written there`;
  const { launcher } = plan;
  const foreign =
    launcher !== undefined && commands(after).find((line) => !line.startsWith(`{ path=${launcher} ;`));
  if (foreign) return `systemd would start ${foreign}`;
  return undefined;
}

function without(environment: readonly string[]): string[] {
  return environment.filter((entry) => !isOurs(entry.slice(0, entry.indexOf("="))));
}

function isOurs(name: string): name is VariableName {
  return variables.some((ours) => ours === name);
}

/** @param value as in a unit file; only systemd knows the values of its specifiers */
function isAssignment(entry: string, name: string, value: string): boolean {
  const pattern = value.replaceAll(/%.|[\\^$.*+?()[\]{}|]/gs, (special) => {
    if (special === "%%") return "%";
    return special.startsWith("%") ? ".*" : `\\${special}`;
  });
  return new RegExp(`^${name}=${pattern}$`, "s").test(entry);
}

function foreignFiles({ properties }: Snapshot): string {
  const foreign = environmentFilesOf(properties).filter((path) => !isOwnEnvironmentFile(path));
  return foreign.join("\n");
}

function commands({ properties }: Snapshot): string[] {
  return properties.lines("ExecStart");
}
