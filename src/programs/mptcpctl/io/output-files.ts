/**
 * The files that commands write: recordings and reports. Root may write them into a directory of another user, so this
 * module follows no symbolic link.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, hasCode, messageOf } from "../../../base/errors.ts";
import { removeFile } from "../../../base/files.ts";
import { CommandError } from "./output.ts";

/**
 * Opens a file to write a recording. An existing file is replaced, not written into: root records, and in a directory
 * of another user the file may be a link to one of root's files. A pipe or a device is written to as it is.
 *
 * @throws CommandError for a symbolic link; the file system's error
 */
export function openRecording(file: string): number {
  if (isOwnDescriptor(file)) return openSync(file, "w");
  const status = lstatSync(file, { throwIfNoEntry: false });
  if (status !== undefined && !status.isFile()) return openSpecial(file);
  removeFile(file);
  return openSync(file, "wx", 0o666);
}

/** The kernel made these links, so they are safe: "/dev/stdout", and "/dev/fd/63", which shells pass for `>(gzip)`. */
function isOwnDescriptor(file: string): boolean {
  return /^\/(dev|proc\/self)\/(stdout|stderr|fd\/\d+)$/.test(file);
}

function openSpecial(file: string): number {
  const { O_WRONLY, O_NOFOLLOW, O_NOCTTY } = constants;
  let fd: number;
  try {
    fd = openSync(file, O_WRONLY | O_NOFOLLOW | O_NOCTTY);
  } catch (error) {
    if (hasCode(error, "ELOOP"))
      throw new CommandError(
        "ELOOP",
        "it is a symbolic link, and links are not followed; name the file itself",
      );
    throw error;
  }
  if (!fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new CommandError("EEXIST", "another file took its place while it was opened; try again");
}

/** Checks that the report can be written, before anything is gathered. Throws CommandError. */
export function checkReportFile(file: string, replace: boolean): void {
  attempt(file, () => {
    const status = lstatSync(file, { throwIfNoEntry: false });
    if (status !== undefined) refuseExisting(file, status, replace);
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  });
}

/**
 * Writes the file whole or not at all, readable for its owner alone. An existing file is replaced only if it is a
 * regular file and `replace` is true; a symbolic link is never followed. Throws CommandError.
 */
export function writeReportFile(file: string, text: string, replace: boolean): void {
  const target = replace ? join(dirname(file), `.${basename(file)}.${process.pid}.new`) : file;
  attempt(file, () => {
    // O_EXCL: fail if somebody has put a link there meanwhile.
    const fd = openSync(target, "wx", 0o600);
    try {
      try {
        writeFileSync(fd, text);
      } finally {
        closeSync(fd);
      }
      if (replace) {
        checkReportFile(file, replace);
        renameSync(target, file);
      }
    } catch (error) {
      removeFile(target);
      throw error;
    }
  });
}

function refuseExisting(
  file: string,
  status: { isFile(): boolean; isSymbolicLink(): boolean; isDirectory(): boolean },
  replace: boolean,
): void {
  const problem = status.isSymbolicLink()
    ? "is a symbolic link, and links are not followed; give another name with --output"
    : status.isDirectory()
      ? "is a directory; give the name of a file with --output"
      : !status.isFile()
        ? "is not a regular file; give another name with --output, or - for standard output"
        : replace
          ? undefined
          : "exists already; --force replaces it, --output gives another name";
  if (problem !== undefined) throw new CommandError("EEXIST", `cannot write the report: ${file} ${problem}`);
}

function attempt(file: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = codeOf(error);
    if (code === "EEXIST") refuseExisting(file, lstatSync(file), false);
    const why = (code === undefined ? undefined : reasons[code]) ?? messageOf(error);
    // Not the system's code: for EACCES, the program would add "run it as root", which does not help here.
    throw new CommandError("EREPORT", `cannot write the report to ${file}: ${why}`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "you may not write to its directory; change to another, or name a file with --output",
  EROFS: "its file system is read-only; name a file elsewhere with --output",
  ENOENT: "its directory does not exist",
  ENOTDIR: "the path before the file name is not a directory",
  ENOSPC: "no space is left",
  ENAMETOOLONG: "the name is too long",
};
