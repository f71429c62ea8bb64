/** A user who can write to a unit's drop-ins decides what the unit runs, and as which user. */

import { realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isSticky, isWorldWritable, namesIn } from "../base/files.ts";

/**
 * Finds the places that everybody may write to: the drop-ins, their directories, and the directories above.
 *
 * @param dropIns paths of drop-ins; neither the files nor their directories need to exist
 * @returns a line for each place, with the command that closes it
 */
export function exposureOf(unit: string, dropIns: readonly string[]): string[] {
  const directories = new Set(
    dropIns.map((path) => resolved(dirname(path))).filter((path) => path !== undefined),
  );
  const places = [...directories].flatMap((directory) => [
    ...namesIn(directory).map((name) => ({ path: join(directory, name), sticky: false })),
    { path: directory, sticky: false },
    // A user who can write here can add units and drop-ins.
    { path: dirname(directory), sticky: false },
    // In a sticky directory nobody can replace the files of others.
    ...above(dirname(directory)).map((path) => ({ path, sticky: true })),
  ]);
  const open = places.filter(({ path, sticky }) => isOpen(path, sticky)).map(({ path }) => path);
  return [...new Set(open)].map(
    (path) => `everybody may write to ${path}, and so decide what ${unit} runs: chmod o-w ${path}`,
  );
}

function isOpen(path: string, sticky: boolean): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  return status !== undefined && isWorldWritable(status) && !(sticky && isSticky(status));
}

function above(directory: string): string[] {
  const parent = dirname(directory);
  return parent === directory ? [] : [parent, ...above(parent)];
}

function resolved(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
