/** Takes away what `enable` wrote, wherever it did. */
import type { Systemctl } from "../systemd/systemctl.ts";
import { type DropInDirectories, dropInPath, readDropIn } from "./drop-in.ts";
import { refuseForeign, uninstall } from "./installation.ts";
import { UnknownUnitError } from "./refusal.ts";
import { findUnitInAnyState, type Unit } from "./unit.ts";

export type DisableOptions = {
  /** Removes drop-ins that somebody has edited, too. */
  readonly force: boolean;
  /** Only says what would be removed. */
  readonly dryRun: boolean;
};

export type DisableSources = {
  readonly systemctl: Systemctl;
  readonly directories: DropInDirectories;
  /** Ends what the BPF way does for a unit now. */
  forgetBpf(unit: string): Promise<void>;
};

export type Disabled = {
  readonly unit: Unit;
  /** The drop-ins that were removed; none if the unit was not enabled. */
  readonly removed: readonly string[];
  /** The template by which an instance stays enabled. */
  readonly stillEnabledBy: string | undefined;
};

export async function disable(
  given: string,
  { force, dryRun }: DisableOptions,
  sources: DisableSources,
): Promise<Disabled> {
  const { systemctl, directories } = sources;
  const unit = await findUnitInAnyState(given, systemctl);
  const found = pathsFor(unit.name, directories).flatMap((path) => {
    const dropIn = readDropIn(path);
    return dropIn === undefined ? [] : [{ path, dropIn }];
  });
  if (found.length === 0 && unit.fragment === undefined) throw new UnknownUnitError(given);
  // Both are looked at before either is touched.
  for (const { path } of found) refuseForeign(path, force);
  if (!dryRun && found.length > 0) {
    for (const { path } of found) uninstall(path);
    await systemctl.daemonReload();
    if (found.some(({ dropIn }) => dropIn.way === "bpf")) await sources.forgetBpf(unit.name);
  }
  const { templateName } = unit;
  const byTemplate =
    templateName !== undefined && pathsFor(templateName, directories).some((path) => readDropIn(path));
  return {
    unit,
    removed: found.map(({ path }) => path),
    stillEnabledBy: byTemplate ? templateName : undefined,
  };
}

function pathsFor(unit: string, { persistent, runtime }: DropInDirectories): string[] {
  return [persistent, runtime].map((directory) => dropInPath(directory, unit));
}
