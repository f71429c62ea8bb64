/** Where a report goes: a file of its own, which only its owner can read. */

import { accessSync, closeSync, constants, lstatSync, openSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf } from "../../base/errors.ts";
import { removeFile } from "../../base/remove-file.ts";
import { CommandError } from "./exit.ts";

/** "mptcpd-report-HOST-20261125-220941.txt" */
export function reportName(time: Date, extension: string, host = hostname()): string {
  const date = time.toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, "20261125-220941".length);
  // A host may call itself anything.
  const safe = host.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64) || "host";
  return `mptcpd-report-${safe}-${date}.${extension}`;
}

/** Says what is in the way before anything is gathered. Throws CommandError. */
export function checkReportFile(file: string, replace: boolean): void {
  attempt(file, () => {
    const status = lstatSync(file, { throwIfNoEntry: false });
    if (status !== undefined) refuseExisting(file, status, replace);
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  });
}

/**
 * Writes the file, for its owner alone, whole or not at all. What is there is replaced only if it is a regular file and
 * `replace` says so; a symbolic link is never followed. Throws CommandError.
 */
export function writeReportFile(file: string, text: string, replace: boolean): void {
  const target = replace ? join(dirname(file), `.${basename(file)}.${process.pid}.new`) : file;
  attempt(file, () => {
    // O_EXCL: of a link that somebody put there meanwhile, nothing is opened.
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
    ? "is a symbolic link, which is not followed; give another name with --output"
    : status.isDirectory()
      ? "is a directory; give the name of a file with --output"
      : !status.isFile()
        ? "is no regular file; give another name with --output, or - for standard output"
        : replace
          ? undefined
          : "is there already; --force replaces it, --output gives another name";
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
    // Its code is not the system's: "run it as root" would be no help.
    throw new CommandError("EREPORT", `cannot write the report to ${file}: ${why}`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "you may not write to its directory; change to another, or name a file with --output",
  EROFS: "its file system is read-only; name a file elsewhere with --output",
  ENOENT: "its directory does not exist",
  ENOTDIR: "its directory is none",
  ENOSPC: "no space is left",
  ENAMETOOLONG: "the name is too long",
};
