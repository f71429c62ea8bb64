/**
 * The unit that a word of the command line means, whether it can be enabled at all, the socket that starts it, and what
 * its files say together.
 */
import { readFileSync, realpathSync } from "node:fs";
import { basename } from "node:path";
import { dropInName, parseDropIn, readDropIn } from "./drop-in.ts";
import { Refusal, UnknownUnitError, unreadable } from "./refusal.ts";
import { Properties, type Systemctl } from "./systemd/systemctl.ts";
import { parseUnitName, type UnitName } from "./systemd/unit-name.ts";
import { type Assignment, parseUnitFile } from "./systemd/unit-syntax.ts";

export type Unit = {
  /** Its real name: aliases are followed. */
  readonly name: string;
  readonly type: string;
  readonly template: boolean;
  /** For an instance: the name of its template. */
  readonly templateName: string | undefined;
  /** Undefined if systemd knows no such unit. */
  readonly fragment: string | undefined;
  /** Its drop-ins, in the order in which systemd applies them. */
  readonly dropIns: readonly string[];
};

export type LoadedUnit = Unit & { readonly fragment: string };

/** For `enable`. Throws a Refusal for units that must stay as they are. */
export async function findUnit(given: string, systemctl: Systemctl): Promise<LoadedUnit> {
  const { unit, properties } = await lookUp(given, systemctl);
  refuseUnlessLoaded(given, unit, properties);
  const { fragment } = unit;
  if (fragment === undefined) throw new UnknownUnitError(given);
  return { ...unit, fragment };
}

/** For `disable`, which also has to do with units that are gone, masked or broken by now. */
export async function findUnitInAnyState(given: string, systemctl: Systemctl): Promise<Unit> {
  return (await lookUp(given, systemctl)).unit;
}

const properties = ["Id", "LoadState", "FragmentPath", "DropInPaths", "UnitFileState", "Transient"];

async function lookUp(given: string, systemctl: Systemctl) {
  const name = parseUnitName(basename(given));
  const shown = new Properties(await systemctl.show(name.name, properties));
  const fragment = shown.text("FragmentPath") || undefined;
  if (given.includes("/") && !isSameFile(given, fragment))
    throw new Refusal(`${given} is not the file of a unit that systemd has loaded: give the unit's name`);
  return { unit: describe(name, fragment, shown), properties: shown };
}

function describe(asked: UnitName, fragment: string | undefined, shown: Properties): Unit {
  const real = parseUnitName(shown.text("Id") || asked.name);
  const templateName =
    asked.instance === undefined && !asked.template ? undefined : `${real.prefix}@.${real.type}`;
  return {
    // A template is shown by an instance of it.
    name: asked.template && templateName !== undefined ? templateName : real.name,
    type: real.type,
    template: asked.template,
    templateName: asked.template ? undefined : templateName,
    fragment,
    dropIns: shown.words("DropInPaths"),
  };
}

function refuseUnlessLoaded(given: string, { name, type, dropIns }: Unit, shown: Properties): void {
  const state = shown.text("LoadState");
  if (state === "not-found") throw new UnknownUnitError(given);
  if (type !== "service" && type !== "socket")
    throw new Refusal(`${name} is a ${type} unit: only services and sockets can use MPTCP`);
  if (state === "masked") throw new Refusal(`${name} is masked: \`systemctl unmask ${name}\` comes first`);
  if (shown.yes("Transient") || shown.text("UnitFileState") === "transient")
    throw new Refusal(
      `${name} is transient: it is gone when it stops; start what it runs under \`mptcpize run\``,
    );
  if (state === "loaded") return;
  const ours = dropIns.some((path) => readDropIn(path) !== undefined);
  const help = ours ? `disable ${name} first` : `\`systemd-analyze verify ${name}\` tells why`;
  throw new Refusal(`systemd cannot load ${name} (${state}): ${help}`);
}

function isSameFile(path: string, fragment: string | undefined): boolean {
  try {
    return fragment !== undefined && realpathSync(path) === realpathSync(fragment);
  } catch {
    return false;
  }
}

/**
 * The socket unit with Accept=yes for which systemd starts an instance of this service per connection. It has the name
 * of the template (Accept= in systemd.socket(5)), of which systemd knows nothing else: TriggeredBy= is for instances
 * that run.
 */
export async function acceptingSocket(service: string, systemctl: Systemctl): Promise<string | undefined> {
  const { prefix, type, template, instance } = parseUnitName(service);
  if (type !== "service" || (!template && instance === undefined)) return undefined;
  const socket = `${prefix}.socket`;
  const shown = new Properties(await systemctl.show(socket, ["LoadState", "Accept"]));
  return shown.text("LoadState") === "loaded" && shown.yes("Accept") ? socket : undefined;
}

/** What the files of a unit say together: settings in the order in which systemd applies them. */
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
