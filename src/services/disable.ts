/** Takes away what `enable` wrote, wherever it did. */
import { isThere } from "../base/files.ts";
import { type DropInDirectories, dropInPath, readDropIn } from "./drop-in.ts";
import { leftovers, refuseForeign, uninstall } from "./installation.ts";
import { UnknownUnitError } from "./refusal.ts";
import type { Systemctl } from "./systemd/systemctl.ts";
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
  /** The drop-ins that were removed, and what killed runs left; none if the unit was not enabled. */
  readonly removed: readonly string[];
  /** Drop-ins that were gone, but systemd had not been told: a run was killed between the two. */
  readonly forgotten: readonly string[];
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
  const paths = pathsFor(unit.name, directories);
  const found = paths.flatMap((path) => {
    const dropIn = readDropIn(path);
    return dropIn === undefined ? [] : [{ path, dropIn }];
  });
  const left = paths.flatMap((path) => leftovers(path).map((file) => ({ path, file })));
  const forgotten = paths.filter((path) => unit.dropIns.includes(path) && !isThere(path));
  const removed = [...found.map(({ path }) => path), ...left.map(({ file }) => file)];
  if (removed.length === 0 && unit.fragment === undefined) throw new UnknownUnitError(given);
  // All are looked at before any is touched.
  for (const { path } of found) refuseForeign(path, force);
  if (!dryRun) {
    for (const { path } of [...found, ...left]) uninstall(path);
    // A template is shown by an instance that is read anew: what systemd has in mind of the others is not seen.
    if (removed.length + forgotten.length > 0 || unit.template) await systemctl.daemonReload();
    // Which way a drop-in had that is gone, nobody knows.
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
