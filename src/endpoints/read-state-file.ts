import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const MiB = 1024 * 1024;
/** Far more than ledgers and wishes need. */
const usualLimit = 16 * MiB;

/** A file of the runtime directory that none of ours has left there. */
export class StateFileError extends Error {
  override readonly name = "StateFileError";
  readonly code = "EBADFILE";
}

/**
 * Reads a file of the runtime directory. Its owner is the user of the unit, and root reads there: what is no regular
 * file (a FIFO would have the reader wait), leads elsewhere, or is of a size that none of ours has is refused.
 *
 * @returns undefined if there is none
 * @throws {StateFileError} if it is refused; the file system's error if it cannot be read
 */
export function readStateFile(file: string, largest = usualLimit): string | undefined {
  const fd = openToRead(file);
  if (fd === undefined) return undefined;
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new StateFileError(`${file} is no regular file`);
    if (status.size > largest) throw new StateFileError(`${file} is larger than ${largest / MiB} MiB`);
    return readUpTo(fd, status.size);
  } finally {
    closeSync(fd);
  }
}

function openToRead(file: string): number | undefined {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW, O_NOCTTY } = constants;
  try {
    return openSync(file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw new StateFileError(`${file} is a symbolic link`);
    // A socket.
    if (code === "ENXIO") throw new StateFileError(`${file} is no regular file`);
    throw error;
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
