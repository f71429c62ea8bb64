import { closeSync, constants, fstatSync, readSync } from "node:fs";
import { GuardedFileError, openGuarded } from "./guarded-file.ts";

const MiB = 1024 * 1024;
/** Far more than ledgers and wishes need. */
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
