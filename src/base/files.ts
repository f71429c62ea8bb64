/** Files: whether they are there, who may write to them, and how they are replaced and removed as a whole. */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, hasCode } from "./errors.ts";

/**
 * Readers see the old content or the new one, whatever happens. A file that is there keeps its mode and owner, and
 * stays where symbolic links say that it is. One writer at a time: what another that was killed has left is replaced.
 */
export function writeFileAtomically(path: string, content: string | Uint8Array, mode = 0o644): void {
  const existing = statSync(path, { throwIfNoEntry: false });
  const target = existing === undefined ? path : realpathSync(path);
  // Nobody reads it before its mode is right, which is not left to the umask.
  replaceWith(target, { temporary: temporaryOf(target), mode: 0o600 }, (fd) => {
    writeFileSync(fd, content);
    if (existing !== undefined) fchownSync(fd, existing.uid, existing.gid);
    fchmodSync(fd, existing === undefined ? mode : existing.mode & 0o7777);
    fsyncSync(fd);
  });
  syncDirectory(dirname(target));
}

/**
 * Puts a new file in the place of another: readers see the old one or the new one, never a part. A symbolic link is
 * replaced, not followed.
 *
 * @throws the file system's error; then the old file is as it was
 */
export function replaceWith(
  target: string,
  { temporary, mode }: { readonly temporary: string; readonly mode: number },
  fill: (fd: number) => void,
): void {
  try {
    const fd = createNew(temporary, mode);
    try {
      fill(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

/**
 * Removes a file, or a link itself; that there is none is right as well. rmSync will not do: in Node 24 its errors have
 * no code (node_file.cc, RmSync).
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

/**
 * Whether a directory has this name. A symbolic link that leads nowhere counts: existsSync follows it, and would call
 * the name free.
 */
export function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // A directory that may not be entered, or links without end on the way.
    return false;
  }
}

/** The names in a directory; none where it cannot be read. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Bits of a file's mode: inode(7). */
interface Mode {
  readonly mode: number;
}

/** Whether everybody may write to a file or directory (S_IWOTH). */
export function isWorldWritable({ mode }: Mode): boolean {
  return (mode & 0o002) !== 0;
}

/** Whether nobody can move what is another's out of a directory (S_ISVTX). */
export function isSticky({ mode }: Mode): boolean {
  return (mode & 0o1000) !== 0;
}

/** A file that exists was left by a killed writer, or is a link that the directory's owner laid for root to follow. */
function createNew(file: string, mode: number): number {
  try {
    return openSync(file, "wx", mode);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    unlinkSync(file);
    return openSync(file, "wx", mode);
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

function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
