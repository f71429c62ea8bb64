/** What the files of a unit say together: settings in the order in which systemd applies them. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { dropInName, parseDropIn } from "./drop-in.ts";
import { Refusal, unreadable } from "./refusal.ts";
import { type Assignment, parseUnitFile } from "./systemd/unit-syntax.ts";

export type UnitFiles = { readonly fragment: string; readonly assignments: readonly Assignment[] };

/** Reads them without the drop-ins that mptcpize wrote: what the unit is by itself. */
export function readUnitFiles(fragment: string, dropIns: readonly string[]): UnitFiles {
  const texts = [fragment, ...dropIns].map((path) => ({ path, text: read(path) }));
  const foreign = texts.filter(
    ({ path, text }) => basename(path) !== dropInName || parseDropIn(text) === undefined,
  );
  return { fragment, assignments: foreign.flatMap(({ path, text }) => parseUnitFile(text, path)) };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** With a drop-in of ours at its place. */
export function withDropIn(files: UnitFiles, ours: readonly Assignment[]): Assignment[] {
  const { assignments } = files;
  const later = assignments.findIndex((assignment) => isLater(assignment, files));
  const at = later === -1 ? assignments.length : later;
  return [...assignments.slice(0, at), ...ours, ...assignments.slice(at)];
}

/** The last of the settings that systemd applies after a drop-in of ours, of those that fit. */
export function laterSetting(
  files: UnitFiles,
  fits: (assignment: Assignment) => boolean,
): Assignment | undefined {
  return files.assignments.findLast((assignment) => isLater(assignment, files) && fits(assignment));
}

export function settings(assignments: readonly Assignment[], section: string, key: string): Assignment[] {
  return assignments.filter((assignment) => assignment.section === section && assignment.key === key);
}

/** systemd sorts drop-ins by file name, whichever directory they are in (systemd.unit(5)). */
function isLater({ file }: Assignment, { fragment }: UnitFiles): boolean {
  return file !== fragment && basename(file) > dropInName;
}

/** Lines of a drop-in of ours, as systemd will read them. */
export function ownSettings(section: string, lines: readonly string[]): Assignment[] {
  return parseUnitFile([`[${section}]`, ...lines, ""].join("\n"), dropInName);
}

/**
 * The refusal of a drop-in that would not hold: it names the setting in a later one that decides instead.
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
