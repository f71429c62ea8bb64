/** Removes everything that `enable` wrote for a unit, in both directories. */
import { isThere } from "../base/files.ts";
import { type DropInDirectories, dropInPath, readDropIn } from "./drop-in.ts";
import { leftovers, refuseForeign, uninstall } from "./installation.ts";
import { UnknownUnitError } from "./refusal.ts";
import type { Systemctl } from "./systemd/systemctl.ts";
import { findUnitInAnyState, type Unit } from "./unit.ts";

export type DisableOptions = {
  /** Also remove drop-ins that somebody has edited. */
  readonly force: boolean;
  /** Change nothing, only find out what would be removed. */
  readonly dryRun: boolean;
};

export type DisableSources = {
  readonly systemctl: Systemctl;
  readonly directories: DropInDirectories;
  /** Ends the BPF way for a running unit. */
  forgetBpf(unit: string): Promise<void>;
};

export type Disabled = {
  readonly unit: Unit;
  /** The removed files: drop-ins, and leftovers of killed runs. Empty if the unit was not enabled. */
  readonly removed: readonly string[];
  /** Drop-ins that were gone already, but that systemd still knew: a run was killed before it told systemd. */
  readonly forgotten: readonly string[];
  /** The template that keeps an instance enabled. */
  readonly stillEnabledBy: string | undefined;
};

export async function disable(
  given: string,
  { force, dryRun }: DisableOptions,
  sources: DisableSources,
): Promise<Disabled> {
  const { systemctl, directories } = sources;
  const unit = await findUnitInAnyState(given, systemctl);
  const paths = pathsFor(unit.name, directories);
  const found = paths.flatMap((path) => {
    const dropIn = readDropIn(path);
    return dropIn === undefined ? [] : [{ path, dropIn }];
  });
  const left = paths.flatMap((path) => leftovers(path).map((file) => ({ path, file })));
  const forgotten = paths.filter((path) => unit.dropIns.includes(path) && !isThere(path));
  const removed = [...found.map(({ path }) => path), ...left.map(({ file }) => file)];
  if (removed.length === 0 && unit.fragment === undefined) throw new UnknownUnitError(given);
  // Check all files before removing the first.
  for (const { path } of found) refuseForeign(path, force);
  if (!dryRun) {
    for (const { path } of [...found, ...left]) uninstall(path);
    // Reload for a template in any case: a fresh instance stands for it, so we cannot see what the others have loaded.
    if (removed.length + forgotten.length > 0 || unit.template) await systemctl.daemonReload();
    // The way of a drop-in that is gone is unknown: it may have been BPF.
    const byBpf = forgotten.length > 0 || found.some(({ dropIn }) => dropIn.way === "bpf");
    if (byBpf) await sources.forgetBpf(unit.name);
  }
  const { templateName } = unit;
  const byTemplate =
    templateName !== undefined && pathsFor(templateName, directories).some((path) => readDropIn(path));
  return {
    unit,
    removed,
    forgotten,
    stillEnabledBy: byTemplate ? templateName : undefined,
  };
}

function pathsFor(unit: string, { persistent, runtime }: DropInDirectories): string[] {
  return [persistent, runtime].map((directory) => dropInPath(directory, unit));
}
