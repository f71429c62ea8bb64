import { closeSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { giveToOwnerOf } from "../kernel/guarded-file.ts";
import { prepareRuntimeDirectory } from "./namespace.ts";

/** Replaces a file of the runtime directory as a whole: a reader sees the old text or the new, never a part. */
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
    rmSync(temporary, { force: true });
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot write ${file}: ${cause}`, { cause: error });
  }
}

/** Somebody may clean up under /run: then the directory is made again. */
function openNew(file: string): number {
  try {
    return createNew(file);
  } catch (error) {
    if (!isOfCode(error, "ENOENT")) throw error;
    prepareRuntimeDirectory(dirname(file));
    return createNew(file);
  }
}

/** What is there already somebody left who was killed; or it is a link, laid by the directory's owner for root to follow. */
function createNew(file: string): number {
  try {
    return openSync(file, "wx", 0o644);
  } catch (error) {
    if (!isOfCode(error, "EEXIST")) throw error;
    rmSync(file);
    return openSync(file, "wx", 0o644);
  }
}

function isOfCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
