/** What enable and disable have in common: several units, each on its own; root; and `--repair`. */

import type { Systemctl } from "../../services/systemd/systemctl.ts";
import { findUnitInAnyState } from "../../services/unit.ts";
import { planRepair, repair } from "../../services/upstream.ts";
import { CommandError, type Context, endingOf, exitCodes } from "./exit.ts";
import { run } from "./surroundings.ts";

/** @returns the exit code: 1 if any of them failed */
export async function forEachUnit(
  units: readonly string[],
  context: Context,
  act: (unit: string) => Promise<void>,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  for (const unit of units)
    try {
      await act(unit);
    } catch (error) {
      const { line } = endingOf(error);
      if (line !== undefined) context.warn(line);
      exitCode = exitCodes.failed;
    }
  return exitCode;
}

/** Before anything is done by halves. */
export function requireRights(command: string, user: boolean): void {
  if (!user && process.geteuid?.() !== 0)
    throw new CommandError("EPERM", `${command} takes root; --user is for units of your own service manager`);
}

/** `--repair`: shows what the C mptcpize left in a unit file, and takes it out. @returns whether there was something */
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
