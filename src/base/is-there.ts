import { lstatSync } from "node:fs";

/**
 * Whether a directory has this name. A symbolic link that leads nowhere counts: existsSync follows it, and would call the
 * name free.
 */
export function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // A directory that may not be entered, or links without end on the way.
    return false;
  }
}
