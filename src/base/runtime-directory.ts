/**
 * Files of a runtime directory. It belongs to the user of the unit, and root reads and writes there, too. That user can
 * put anything in the place of a file: a FIFO, a link to somebody's file, a link whose other names are removed while we
 * look.
 */

import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { codeOf, hasCode, messageOf } from "./errors.ts";
import { isThere, isWorldWritable, removeFile, replaceWith } from "./files.ts";

/** A file that none of ours has left at its place. The message says what to do. */
class GuardedFileError extends Error {
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
 * @throws {GuardedFileError} if it is not a regular file with one name, of the directory's owner; the file system's
 * error
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

const MiB = 1024 * 1024;
/** Bytes: far more than any of our files needs. */
const usualLimit = 16 * MiB;

/**
 * Reads a file of the runtime directory. Its owner is the user of the unit, and root reads there: a file that none of
 * ours has left, or of a size that none of ours has, is refused.
 *
 * @returns undefined if there is none
 * @throws {GuardedFileError} if it is refused; the file system's error if it cannot be read
 */
export function readStateFile(file: string, largest = usualLimit): string | undefined {
  const fd = openGuarded(file, constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    const { size } = fstatSync(fd);
    if (size > largest) throw new GuardedFileError(`${file} is larger than ${largest / MiB} MiB: remove it`);
    return readUpTo(fd, size);
  } finally {
    closeSync(fd);
  }
}

/** What is appended meanwhile is left out: it could be without end. */
function readUpTo(fd: number, size: number): string {
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const count = readSync(fd, bytes, length, size - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.toString("utf8", 0, length);
}

/** A file of the runtime directory that cannot be written or removed. `code` is the file system's: "ENOSPC". */
class StateWriteError extends Error {
  override readonly name = "StateWriteError";
  readonly code: string;

  constructor(what: string, cause: unknown) {
    super(`cannot ${what}: ${messageOf(cause)}`, { cause });
    this.code = codeOf(cause) ?? "EIO";
  }
}

/** Creates a runtime directory, if it is not there; its parent has to be. */
export function prepareRuntimeDirectory(directory: string): void {
  if (!isThere(directory)) mkdirSync(directory, { mode: 0o755 });
  const status = statSync(directory, { throwIfNoEntry: false });
  if (status === undefined) throw new Error("it is a symbolic link that leads nowhere");
  if (isWorldWritable(status)) throw new Error("everybody may write to it");
}

/**
 * Replaces a file of the runtime directory as a whole: a reader sees the old text or the new, never a part.
 *
 * @throws StateWriteError
 */
export function replaceStateFile(file: string, text: string): void {
  try {
    try {
      replace(file, text);
    } catch (error) {
      // Somebody may clean up under /run: then the directory is made again.
      if (!hasCode(error, "ENOENT")) throw error;
      prepareRuntimeDirectory(dirname(file));
      replace(file, text);
    }
  } catch (error) {
    throw new StateWriteError(`write ${file}`, error);
  }
}

function replace(file: string, text: string): void {
  replaceWith(file, { temporary: `${file}.new`, mode: 0o644 }, (fd) => {
    giveToOwnerOf(dirname(file), fd);
    writeFileSync(fd, text);
  });
}

/** Removes a file of the runtime directory, if it is there. Throws StateWriteError. */
export function removeStateFile(file: string): void {
  try {
    removeFile(file);
  } catch (error) {
    if (!hasCode(error, "ENOTDIR")) throw new StateWriteError(`remove ${file}`, error);
  }
}

/** What root writes into a directory is for its owner to use. */
function giveToOwnerOf(directory: string, fd: number): void {
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
