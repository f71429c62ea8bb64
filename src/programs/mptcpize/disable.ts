/** `mptcpize disable` */
import { disable } from "../../services/disable.ts";
import { dropInDirectories } from "../../services/drop-in.ts";
import { exclusively } from "../../services/lock.ts";
import { takeEffect } from "./effect.ts";
import type { Context } from "./exit.ts";
import { bpf, openSystemctl } from "./surroundings.ts";
import { forEachUnit, repairUnit, requireRights } from "./units.ts";

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
  // The user's own manager has no BPF way.
  const forgetBpf = user ? async () => {} : bpf.forget;
  const directories = dropInDirectories({ user });
  const sources = { systemctl, directories, forgetBpf };
  return forEachUnit(units, context, async (given) => {
    const act = async () => {
      // Refused before anything is changed.
      if (options.repair) await disable(given, { force, dryRun: true }, sources);
      const repaired = options.repair === true && (await repairUnit(given, dryRun, systemctl, context));
      return { repaired, ...(await disable(given, { force, dryRun }, sources)) };
    };
    const { unit, removed, forgotten, repaired, stillEnabledBy } = await (dryRun
      ? act()
      : exclusively(directories, act));
    if (stillEnabledBy !== undefined)
      context.warn(`${unit.name} stays enabled by its template: mptcpize disable ${stillEnabledBy}`);
    const changed = repaired || removed.length + forgotten.length > 0;
    if (dryRun) {
      for (const path of removed) context.write(`would remove ${path}\n`);
      for (const path of forgotten) context.write(`would have systemd forget ${path}, which is gone\n`);
    }
    if (!changed) context.write(`${unit.name} is not enabled: nothing to do\n`);
    if (dryRun || !changed) return;
    context.write(`mptcp successfully disabled on unit ${unit.fragment ?? unit.name}\n`);
    await takeEffect(unit, { now, user, state: "disabled" }, systemctl, context);
  });
}
