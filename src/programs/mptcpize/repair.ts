/** `--repair`: what the C mptcpize left in a unit file is shown, and taken out. */

import type { Systemctl } from "../../services/systemd/systemctl.ts";
import { findUnitInAnyState } from "../../services/unit.ts";
import { planRepair, repair } from "../../services/upstream.ts";
import type { Context } from "./context.ts";
import { run } from "./surroundings.ts";

/** @returns whether there was something */
export async function repairUnit(
  given: string,
  dryRun: boolean,
  systemctl: Systemctl,
  context: Context,
): Promise<boolean> {
  const found = await planRepair(await findUnitInAnyState(given, systemctl), run);
  if (found === undefined) return false;
  context.write(found.diff);
  if (!dryRun) await repair(found, systemctl);
  if (found.package !== undefined)
    context.warn(
      `the C mptcpize also deleted other Environment= lines, if ${found.path} had any: reinstalling the package ${found.package} brings them back`,
    );
  return true;
}
