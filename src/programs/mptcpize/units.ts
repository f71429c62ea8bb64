/** What enable and disable have in common: several units, each on its own. */
import type { Context } from "./context.ts";
import { CommandError, endingOf, exitCodes } from "./exit.ts";

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
