/** Drop-ins that systemd applies after ours, and that take back what it says. */

import { dropInName } from "./drop-in.ts";
import { Refusal } from "./refusal.ts";
import { type Assignment, parseUnitFile } from "./systemd/unit-file.ts";
import { laterSetting, type UnitFiles } from "./unit-files.ts";

/** Lines of a drop-in of ours, as systemd will read them. */
export function ownSettings(section: string, lines: readonly string[]): Assignment[] {
  return parseUnitFile([`[${section}]`, ...lines, ""].join("\n"), dropInName);
}

/**
 * Names the setting that is in the way.
 *
 * @param what of ours would not hold
 * @param fits whether a later setting can be the cause
 */
export function overriding(
  unit: string,
  files: UnitFiles,
  what: string,
  fits: (assignment: Assignment) => boolean,
): Refusal {
  const setting = laterSetting(files, fits);
  const where = setting === undefined ? "another file" : `${setting.file}:${setting.line}`;
  return new Refusal(
    `${unit}: ${where} decides over ${what} after ${dropInName} has been read: give that file a name that sorts before it`,
  );
}
