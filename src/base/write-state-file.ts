/** Writing to the runtime directory, which belongs to the user of the unit, and where root writes, too. */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, hasCode, messageOf } from "./errors.ts";
import { isWorldWritable } from "./file-mode.ts";
import { giveToOwnerOf } from "./guarded-file.ts";
import { isThere } from "./is-there.ts";
import { removeFile, replaceWith } from "./write-file.ts";

/** A file of the runtime directory that cannot be written or removed. `code` is the file system's: "ENOSPC". */
export class StateWriteError extends Error {
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
