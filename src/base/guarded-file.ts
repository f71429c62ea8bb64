/**
 * Files in directories that belong to another user, such as the runtime directory of the unit, where root opens what
 * that user can lay: a FIFO, a link to somebody's file, a link whose other names are removed while we look.
 */

import { closeSync, constants, fchownSync, fstatSync, openSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "./errors.ts";

/** A file that none of ours has left at its place. The message says what to do. */
export class GuardedFileError extends Error {
  override readonly name = "GuardedFileError";
  readonly code: "EBADFILE" | "EISDIR";

  constructor(message: string, code: "EBADFILE" | "EISDIR" = "EBADFILE") {
    super(message);
    this.code = code;
  }
}

/**
 * Opens a file that is there. Never waits, never follows a link.
 *
 * @param flags O_RDONLY, O_RDWR, O_APPEND and the like; neither O_CREAT nor O_TRUNC
 * @returns undefined if there is none
 * @throws {GuardedFileError} if it is not a regular file with one name, of the directory's owner; the file system's error
 */
export function openGuarded(path: string, flags: number): number | undefined {
  const fd = openUnfollowed(path, flags);
  if (fd === undefined) return undefined;
  const problem = problemOf(fstatSync(fd), statSync(dirname(path)));
  if (problem === undefined) return fd;
  closeSync(fd);
  throw new GuardedFileError(`${path} ${problem}`);
}

/** The same; where there is none, it is created with this mode, and given to the directory's owner if we are root. */
export function openOrCreateGuarded(path: string, flags: number, mode: number): number {
  for (;;) {
    const fd = openGuarded(path, flags) ?? createUnlessThere(path, flags, mode);
    if (fd !== undefined) return fd;
  }
}

/** What root writes into a directory is for its owner to use. */
export function giveToOwnerOf(directory: string, fd: number): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  if (uid !== 0) fchownSync(fd, uid, gid);
}

/** Undefined if somebody was faster. */
function createUnlessThere(path: string, flags: number, mode: number): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, mode);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return undefined;
    throw error;
  }
  giveToOwnerOf(dirname(path), fd);
  return fd;
}

function openUnfollowed(path: string, flags: number): number | undefined {
  const { O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants;
  try {
    return openSync(path, flags | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw new GuardedFileError(`${path} is a symbolic link: remove it`);
    // A socket; a directory that was to be written to.
    if (code === "ENXIO" || code === "EISDIR")
      throw new GuardedFileError(`${path} ${notRegular}`, code === "EISDIR" ? code : undefined);
    throw error;
  }
}

/**
 * The number of names alone proves nothing: the directory's owner may remove the link's name between our open and our
 * look, and one is left. The owner cannot be forged.
 */
function problemOf(file: Stats, directory: Stats): string | undefined {
  if (!file.isFile()) return notRegular;
  if (file.nlink > 1) return `has ${file.nlink} names (hard links), so it may be somebody's file: remove it`;
  const isOurs = directory.uid === 0 && file.uid === process.geteuid?.();
  if (file.uid === directory.uid || isOurs) return undefined;
  return `belongs to user ${file.uid}, not to the directory's owner (user ${directory.uid}): remove it`;
}

const notRegular = "is not a regular file: remove it";
