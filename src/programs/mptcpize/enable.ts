/** `mptcpize enable` */
import { dropInDirectories } from "../../services/drop-in.ts";
import { enable } from "../../services/enable.ts";
import { exposureOf } from "../../services/exposure.ts";
import { exclusively } from "../../services/lock.ts";
import type { How } from "../../services/ways.ts";
import { takeEffect } from "./effect.ts";
import type { Context } from "./exit.ts";
import { bpf, identityOf, openLauncher, openSystemctl } from "./surroundings.ts";
import { forEachUnit, repairUnit, requireRights } from "./units.ts";

export type EnableOptions = {
  readonly user?: boolean;
  readonly runtime?: boolean;
  readonly now?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly repair?: boolean;
  readonly how?: How;
};

export async function runEnable(
  units: readonly string[],
  options: EnableOptions,
  context: Context,
): Promise<number> {
  const { user = false, runtime = false, now = false, dryRun = false, force = false, how = "auto" } = options;
  const { repair = false } = options;
  requireRights("enable", user);
  const systemctl = openSystemctl(user);
  const sources = {
    systemctl,
    launcher: openLauncher(),
    identityOf,
    user,
    directories: dropInDirectories({ user }),
    bpf,
  };
  return forEachUnit(units, context, async (given) => {
    const act = async () => {
      // Refused before anything is changed.
      if (repair) await enable(given, { how, runtime, force, dryRun: true, repair }, sources);
      const repaired = repair && (await repairUnit(given, dryRun, systemctl, context));
      const enabled = await enable(given, { how, runtime, force, dryRun, repair }, sources);
      return { ...enabled, changed: enabled.changed || repaired };
    };
    const { unit, plan, files, changed } = await (dryRun ? act() : exclusively(sources.directories, act));
    const dropIns = [...unit.dropIns, ...files.map(({ path }) => path)];
    for (const note of [...plan.notes, ...exposureOf(unit.name, dropIns)]) context.warn(note);
    if (dryRun) {
      for (const { path, text } of files) context.write(`# ${path}\n${text}`);
      return;
    }
    if (changed) context.write(`mptcp successfully enabled on unit ${unit.fragment}\n`);
    else context.write(`${unit.name} is already enabled: nothing has changed\n`);
    if (changed || now) await takeEffect(unit, { now, user, state: "enabled" }, systemctl, context);
  });
}
