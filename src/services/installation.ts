/** Puts the files of a plan into their place, and takes them away again: all of them or none. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { writeFileAtomically } from "../systemd/files.ts";
import { dropInPath, environmentFileBeside, formatDropIn, readDropIn } from "./drop-in.ts";
import type { Plan } from "./plan.ts";
import { Refusal } from "./refusal.ts";

export type File = { readonly path: string; readonly text: string };

/** What will be written, the drop-in last: systemd reads the other by way of it. */
export function renderFiles(directory: string, unit: string, plan: Plan): File[] {
  const path = dropInPath(directory, unit);
  const createdDirectory = readDropIn(path)?.createdDirectory ?? !existsSync(dirname(path));
  const dropIn = { path, text: formatDropIn({ ...plan, unit, createdDirectory }) };
  if (plan.environmentFile === undefined) return [dropIn];
  return [{ path: environmentFileBeside(path), text: plan.environmentFile }, dropIn];
}

/** Throws a Refusal where a drop-in may not be replaced or removed. */
export function refuseForeign(path: string, force: boolean): void {
  if (!existsSync(path)) return;
  const dropIn = readDropIn(path);
  if (dropIn === undefined) throw new Refusal(`${path} was not written by mptcpize: it stays as it is`);
  if (dropIn.edited && !force)
    throw new Refusal(`${path} has been edited: keep the changes in another file, then use --force`);
}

/** @returns what takes it back, to the state before */
export function install(files: readonly File[], path: string): () => void {
  const directory = dirname(path);
  if (isLink(directory))
    throw new Refusal(`${directory} is a symbolic link: other units may use what it leads to`);
  const created = makeDirectory(directory);
  // Enabled before, a unit may have an environment file that it needs no more.
  const paths = readDropIn(path) === undefined ? files.map((file) => file.path) : ownFiles(path);
  const before = paths.map((file) => ({ path: file, text: textOf(file) }));
  const undo = () => {
    for (const file of before) put(file);
    if (created) rmdirSync(directory);
  };
  try {
    for (const file of files) put(file);
    for (const file of paths) if (!files.some((written) => written.path === file)) put({ path: file });
  } catch (error) {
    undo();
    throw unwritable(path, error);
  }
  return undo;
}

/** Takes a drop-in away with all that came with it. */
export function uninstall(path: string): void {
  const dropIn = readDropIn(path);
  if (dropIn === undefined) return;
  for (const file of ownFiles(path)) put({ path: file });
  const directory = dirname(path);
  if (dropIn.createdDirectory && readdirSync(directory).length === 0) rmdirSync(directory);
}

/** The drop-in first: without it, systemd does not look for the other. */
function ownFiles(path: string): string[] {
  return [path, environmentFileBeside(path)];
}

function put({ path, text }: { readonly path: string; readonly text?: string | undefined }): void {
  if (text === undefined) rmSync(path, { force: true });
  else writeFileAtomically(path, text);
}

/** @returns whether it was not there */
function makeDirectory(directory: string): boolean {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return false;
  try {
    mkdirSync(dirname(directory), { recursive: true });
    // By itself: of a read-only file system, Node's recursive one says ENOENT.
    mkdirSync(directory);
    return true;
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function unwritable(path: string, error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  return new Refusal(`${path} cannot be written (${reason}): --runtime writes below /run`, { cause: error });
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
