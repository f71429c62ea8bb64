/**
 * The file by which a unit is enabled: UNIT.d/50-mptcpize.conf, a drop-in of systemd.unit(5). What was done, and
 * what `disable` has to know, stands in it, in a section that systemd leaves alone ("X-").
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { hasCode } from "../base/errors.ts";
import { Refusal, unreadable } from "./refusal.ts";
import { type Assignment, parseUnitFile } from "./systemd/unit-syntax.ts";
import { type Way, ways } from "./ways.ts";

export const dropInName = "50-mptcpize.conf";
const environmentFileName = "50-mptcpize.env";

/** What is written into a drop-in. */
export type DropInContent = {
  /** The unit that the drop-in is for, as it is given to `disable`. */
  readonly unit: string;
  readonly way: Way;
  readonly library?: string;
  readonly launcher?: string;
  /** The values of ExecStart= that lines of this drop-in were made of, as the unit has them. */
  readonly originalExecStart?: readonly string[];
  /** Whether UNIT.d was made for it. */
  readonly createdDirectory: boolean;
  /** "Service" or "Socket", and the lines under it. */
  readonly section: string;
  readonly lines: readonly string[];
  /** The text of the environment file beside it, if it has one. */
  readonly environmentFile?: string;
};

/** What was read from one. */
export type DropIn = {
  readonly way: Way;
  readonly library: string | undefined;
  readonly launcher: string | undefined;
  readonly originalExecStart: readonly string[];
  readonly createdDirectory: boolean;
  /** Somebody has changed it, or the environment file beside it, since it was written. */
  readonly edited: boolean;
  readonly assignments: readonly Assignment[];
  readonly text: string;
};

/** What `enable` writes for a unit. What depends on the place is added by who writes. */
export type Plan = Omit<DropInContent, "unit" | "createdDirectory"> & {
  /** For people: what they should know of it. */
  readonly notes: readonly string[];
};

export type FoundDropIn = { readonly unit: string; readonly path: string; readonly dropIn: DropIn };

export type DropInDirectories = { readonly persistent: string; readonly runtime: string };

/** Where systemd looks for drop-ins, of the whole system or of the user's own manager. */
export function dropInDirectories({
  user,
  environment = process.env,
}: {
  readonly user: boolean;
  readonly environment?: NodeJS.ProcessEnv;
}): DropInDirectories {
  if (!user) return { persistent: "/etc/systemd/system", runtime: "/run/systemd/system" };
  const { HOME, XDG_CONFIG_HOME, XDG_RUNTIME_DIR } = environment;
  const configuration = XDG_CONFIG_HOME || join(HOME || homedir(), ".config");
  const runtime = XDG_RUNTIME_DIR || `/run/user/${process.getuid?.()}`;
  return { persistent: join(configuration, "systemd/user"), runtime: join(runtime, "systemd/user") };
}

/** UNIT.d/50-mptcpize.conf in a directory of unit files. */
export function dropInPath(directory: string, unit: string): string {
  return join(directory, `${unit}.d`, dropInName);
}

/** UNIT.d/50-mptcpize.env, for units whose own EnvironmentFile= would win over an Environment=. */
export function environmentFileBeside(path: string): string {
  return join(dirname(path), environmentFileName);
}

export function isOwnEnvironmentFile(path: string): boolean {
  return basename(path) === environmentFileName;
}

export function formatDropIn(content: DropInContent): string {
  const { unit, section, lines } = content;
  const head = [
    `# Makes ${unit} use Multipath TCP. Written by "mptcpize enable ${unit}", which replaces it as a whole;`,
    `# "mptcpize disable ${unit}" removes it. Settings of your own belong in another file.`,
    `[${ownSection}]`,
    `Way=${content.way}`,
    ...optional("Library", content.library),
    ...optional("Launcher", content.launcher),
    ...(content.originalExecStart ?? []).map((value) => `OriginalExecStart=${value}`),
    `CreatedDirectory=${content.createdDirectory ? "yes" : "no"}`,
  ];
  const tail = ["", `[${section}]`, ...lines, ""];
  const checksum = checksumOf([...head, ...tail].join("\n"), content.environmentFile);
  return [...head, `Checksum=${checksum}`, ...tail].join("\n");
}

/**
 * @param environmentFile the text of the file beside it, if there is one
 * @returns undefined for a file that `formatDropIn` did not write
 */
export function parseDropIn(text: string, environmentFile?: string): DropIn | undefined {
  const assignments = parseUnitFile(text, dropInName);
  const values = (key: string) =>
    assignments
      .filter((assignment) => assignment.section === ownSection && assignment.key === key)
      .map(({ value }) => value);
  const way = ways.find((known) => known === values("Way")[0]);
  if (way === undefined) return undefined;
  const rest = text.replace(/^Checksum=.*\n/m, "");
  return {
    way,
    library: values("Library")[0],
    launcher: values("Launcher")[0],
    originalExecStart: values("OriginalExecStart"),
    createdDirectory: values("CreatedDirectory")[0] === "yes",
    edited: values("Checksum")[0] !== checksumOf(rest, environmentFile),
    assignments,
    text,
  };
}

/**
 * Reads a drop-in with what is beside it. Undefined if there is none, or it is not ours. Throws a Refusal if it cannot
 * be read.
 */
export function readDropIn(path: string): DropIn | undefined {
  try {
    const text = textOf(path);
    return text === undefined ? undefined : parseDropIn(text, textOf(environmentFileBeside(path)));
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * Every unit that is enabled; for one that is so in both places, the drop-in that systemd takes: the persistent.
 *
 * @param refusals gets one for each drop-in that cannot be read, which says nothing of the others
 */
export function findDropIns(
  { persistent, runtime }: DropInDirectories,
  refusals: unknown[] = [],
): FoundDropIn[] {
  const found = new Map<string, FoundDropIn>();
  for (const directory of [runtime, persistent])
    for (const unit of unitsWithDropIns(directory)) {
      const path = dropInPath(directory, unit);
      const dropIn = ifReadable(() => readDropIn(path), refusals);
      if (dropIn !== undefined) found.set(unit, { unit, path, dropIn });
    }
  return [...found.values()].toSorted((a, b) => (a.unit < b.unit ? -1 : 1));
}

const ownSection = "X-Mptcpize";

function optional(key: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${key}=${value}`];
}

function checksumOf(text: string, environmentFile = ""): string {
  return createHash("sha256").update(text).update(environmentFile).digest("hex");
}

function unitsWithDropIns(directory: string): string[] {
  const names = ifThere(() => readdirSync(directory)) ?? [];
  return names.filter((name) => name.endsWith(".d")).map((name) => name.slice(0, -".d".length));
}

function textOf(path: string): string | undefined {
  return ifThere(() => readFileSync(path, "utf8"));
}

function ifReadable<T>(read: () => T, refusals: unknown[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refusals.push(error);
    return undefined;
  }
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
