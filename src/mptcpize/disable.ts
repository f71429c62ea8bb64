/** `mptcpize disable` */
import { disable } from "../services/disable.ts";
import { dropInDirectories } from "../services/drop-in.ts";
import type { Context } from "./context.ts";
import { takeEffect } from "./effect.ts";
import { repairUnit } from "./repair.ts";
import { bpf, openSystemctl } from "./surroundings.ts";
import { forEachUnit, requireRights } from "./units.ts";

export type DisableOptions = {
  readonly user?: boolean;
  readonly now?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly repair?: boolean;
};

export async function runDisable(
  units: readonly string[],
  options: DisableOptions,
  context: Context,
): Promise<number> {
  const { user = false, now = false, dryRun = false, force = false } = options;
  requireRights("disable", user);
  const systemctl = openSystemctl(user);
  const sources = { systemctl, directories: dropInDirectories({ user }), forgetBpf: bpf.forget };
  return forEachUnit(units, context, async (given) => {
    const repaired = options.repair === true && (await repairUnit(given, dryRun, systemctl, context));
    const { unit, removed, stillEnabledBy } = await disable(given, { force, dryRun }, sources);
    if (stillEnabledBy !== undefined)
      context.warn(`${unit.name} stays enabled by its template: mptcpize disable ${stillEnabledBy}`);
    if (dryRun) for (const path of removed) context.write(`would remove ${path}\n`);
    if (removed.length === 0 && !repaired) context.write(`${unit.name} is not enabled: nothing to do\n`);
    if (dryRun || (removed.length === 0 && !repaired)) return;
    context.write(`mptcp successfully disabled on unit ${unit.fragment ?? unit.name}\n`);
    await takeEffect(unit, { now, user }, systemctl, context);
  });
}
