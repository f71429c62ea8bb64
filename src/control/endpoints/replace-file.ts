import { closeSync, openSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { giveToOwnerOf } from "../../base/guarded-file.ts";
import { codeOf } from "../../base/text.ts";
import { prepareRuntimeDirectory } from "./namespace.ts";

/** A file of the runtime directory that cannot be written or removed. `code` is the file system's: "ENOSPC". */
export class StateWriteError extends Error {
  override readonly name = "StateWriteError";
  readonly code: string;

  constructor(what: string, cause: unknown) {
    super(`cannot ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.code = codeOf(cause) ?? "EIO";
  }
}

/**
 * Replaces a file of the runtime directory as a whole: a reader sees the old text or the new, never a part.
 *
 * @throws StateWriteError
 */
export function replaceFile(file: string, text: string): void {
  const temporary = `${file}.new`;
  try {
    const fd = openNew(temporary);
    try {
      giveToOwnerOf(dirname(file), fd);
      writeFileSync(fd, text);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (error) {
    discard(temporary);
    throw new StateWriteError(`write ${file}`, error);
  }
}

/** Removes a file of the runtime directory, if it is there. Throws StateWriteError. */
export function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw new StateWriteError(`remove ${file}`, error);
  }
}

/** Somebody may clean up under /run: then the directory is made again. */
function openNew(file: string): number {
  try {
    return createNew(file);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    prepareRuntimeDirectory(dirname(file));
    return createNew(file);
  }
}

/** What is there already somebody left who was killed; or it is a link, laid by the directory's owner for root to follow. */
function createNew(file: string): number {
  try {
    return openSync(file, "wx", 0o644);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    unlinkSync(file);
    return openSync(file, "wx", 0o644);
  }
}

/** The next write begins with this, if it fails now. */
function discard(temporary: string): void {
  try {
    unlinkSync(temporary);
  } catch {
    // Not there, or it cannot be removed either.
  }
}
