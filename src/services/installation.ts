/** Puts the files of a plan into their place, and takes them away again: all of them or none. */

import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { messageOf } from "../base/errors.ts";
import { isThere, removeFile, temporaryOf, writeFileAtomically } from "../base/files.ts";
import { dropInPath, environmentFileBeside, formatDropIn, type Plan, readDropIn } from "./drop-in.ts";
import { Refusal, unreadable } from "./refusal.ts";

export type File = { readonly path: string; readonly text: string };

/** What will be written, the drop-in last: systemd reads the other by way of it. */
export function renderFiles(directory: string, unit: string, plan: Plan): File[] {
  const path = dropInPath(directory, unit);
  const createdDirectory = !isThere(dirname(path)) || isDirectoryOurs(path);
  const dropIn = { path, text: formatDropIn({ ...plan, unit, createdDirectory }) };
  if (plan.environmentFile === undefined) return [dropIn];
  return [{ path: environmentFileBeside(path), text: plan.environmentFile }, dropIn];
}

/** Throws a Refusal where a drop-in may not be replaced or removed. */
export function refuseForeign(path: string, force: boolean): void {
  if (!isThere(path)) return;
  const dropIn = readDropIn(path);
  if (dropIn === undefined) throw new Refusal(`${path} was not written by mptcpize: it stays as it is`);
  if (dropIn.edited && !force)
    throw new Refusal(`${path} has been edited: keep the changes in another file, then use --force`);
}

/** Throws a Refusal where a drop-in cannot be written, before anything is. */
export function refuseUnwritable(path: string): void {
  const directory = dirname(path);
  if (isLink(directory))
    throw new Refusal(`${directory} is a symbolic link: other units may use what it leads to`);
  let existing = directory;
  while (!isThere(existing)) existing = dirname(existing);
  try {
    // "/.": what is there must be a directory.
    accessSync(`${existing}/.`, constants.W_OK);
  } catch (error) {
    throw unwritable(directory, error);
  }
}

export type Installation = {
  /** Whether there was anything to write. */
  readonly changed: boolean;
  /** Takes it back, to the state before. */
  undo(): void;
};

export function install(files: readonly File[], path: string): Installation {
  const directory = dirname(path);
  const created = makeDirectory(directory);
  const before = ownFiles(path).map((file) => ({ path: file, text: textOf(file) }));
  const undo = () => {
    for (const { path: file, text } of before) {
      if (text === undefined) removeFile(file);
      else if (textOf(file) !== text) writeFileAtomically(file, text);
    }
    if (created) removeDirectoryIfEmpty(directory);
  };
  const outdated = files.filter(({ path: file, text }) => textOf(file) !== text);
  // Enabled before, a unit may have an environment file that it needs no more.
  const unneeded = before.filter(
    ({ path: file }) => isThere(file) && !files.some((needed) => needed.path === file),
  );
  try {
    for (const { path: file, text } of outdated) writeFileAtomically(file, text);
    for (const { path: file } of unneeded) removeFile(file);
    for (const file of temporaries(path)) removeFile(file);
  } catch (error) {
    undo();
    throw unwritable(path, error);
  }
  return { changed: outdated.length + unneeded.length > 0, undo };
}

/** Takes a drop-in away with all that came with it, or what a killed run left of that. */
export function uninstall(path: string): void {
  try {
    const ours = isDirectoryOurs(path);
    for (const file of [...ownFiles(path), ...temporaries(path)]) removeFile(file);
    if (ours) removeDirectoryIfEmpty(dirname(path));
  } catch (error) {
    throw new Refusal(`${path} cannot be removed (${messageOf(error)})`, { cause: error });
  }
}

/** Files of ours without a drop-in that they belong to: a killed run leaves them. */
export function leftovers(path: string): string[] {
  if (isThere(path)) return [];
  return [...ownFiles(path), ...temporaries(path)].filter(isThere);
}

/**
 * Whether UNIT.d was made for a drop-in. One says so itself; without it, a directory that holds what a killed run
 * left, and nothing else, counts as made by that. An empty one is somebody's.
 */
function isDirectoryOurs(path: string): boolean {
  const dropIn = readDropIn(path);
  if (dropIn !== undefined) return dropIn.createdDirectory;
  const own = [...ownFiles(path), ...temporaries(path)].map((file) => basename(file));
  const names = namesIn(dirname(path)) ?? [];
  return names.length > 0 && names.every((name) => own.includes(name));
}

/** The drop-in first: without it, systemd does not look for the other. */
function ownFiles(path: string): string[] {
  return [path, environmentFileBeside(path)];
}

/** What a killed run leaves of them. */
function temporaries(path: string): string[] {
  return ownFiles(path).map(temporaryOf);
}

/** @returns whether it was not there */
function makeDirectory(directory: string): boolean {
  if (isDirectory(directory)) return false;
  try {
    makeDirectories(directory);
    return true;
  } catch (error) {
    throw unwritable(directory, error);
  }
}

/** Each with a mode that is not left to the umask: who can write to UNIT.d decides what the unit runs. */
function makeDirectories(directory: string): void {
  if (!isThere(dirname(directory))) makeDirectories(dirname(directory));
  mkdirSync(directory, 0o755);
  chmodSync(directory, 0o755);
}

function removeDirectoryIfEmpty(directory: string): void {
  if (namesIn(directory)?.length === 0) rmdirSync(directory);
}

function unwritable(path: string, error: unknown): Refusal {
  const message = `${path} cannot be written (${messageOf(error)}): --runtime writes below /run`;
  return new Refusal(message, { cause: error });
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function namesIn(directory: string): string[] | undefined {
  return isDirectory(directory) ? readdirSync(directory) : undefined;
}

function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function textOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}
