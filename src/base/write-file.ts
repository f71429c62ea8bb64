import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "./text.ts";

/**
 * Readers see the old content or the new one, whatever happens. A file that is there keeps its mode and owner, and stays
 * where symbolic links say that it is. One writer at a time: what another that was killed has left is replaced.
 */
export function writeFileAtomically(path: string, content: string | Uint8Array, mode = 0o644): void {
  const existing = statSync(path, { throwIfNoEntry: false });
  const target = existing === undefined ? path : realpathSync(path);
  const temporary = temporaryOf(target);
  removeFile(temporary);
  // Nobody reads it before its mode is right, which is not left to the umask.
  const fd = openSync(temporary, "wx", 0o600);
  try {
    try {
      writeFileSync(fd, content);
      if (existing !== undefined) fchownSync(fd, existing.uid, existing.gid);
      fchmodSync(fd, existing === undefined ? mode : existing.mode & 0o7777);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
  syncDirectory(dirname(target));
}

/**
 * Removes a file, or a link itself; that there is none is right as well. rmSync will not do: in Node 24 its errors have no
 * code (node_file.cc, RmSync).
 *
 * @throws the file system's error: EACCES, EROFS, EISDIR...
 */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Where a file is while it is being written: a name as systemd gives (tempfn_random), but always the same. */
export function temporaryOf(path: string): string {
  return join(dirname(path), `.#${basename(path)}.new`);
}

function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
