import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";

/** Code of a plugin that somebody else could have written. */
export class UntrustedFileError extends Error {
  override readonly name = "UntrustedFileError";
  readonly code = "EUNTRUSTED";
}

/**
 * The contents of a file whose code we are about to run, with our privileges: a regular file of root's or of ours, that
 * not everybody may write to. What is looked at is what is read.
 */
export function readTrusted(path: string): Buffer {
  // Not to wait at a FIFO that nobody writes to.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const problem = distrust(fstatSync(fd));
    if (problem !== undefined) throw new UntrustedFileError(`${path} ${problem}`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The same for a program, which the kernel opens for itself. */
export function requireTrusted(path: string): void {
  const problem = distrust(statSync(path));
  if (problem !== undefined) throw new UntrustedFileError(`${path} ${problem}`);
}

function distrust(status: {
  isFile(): boolean;
  readonly mode: number;
  readonly uid: number;
}): string | undefined {
  if (!status.isFile()) return "is not a regular file";
  if ((status.mode & 0o002) !== 0) return "may be written by everybody: take that away with chmod o-w";
  const us = process.geteuid?.();
  if (status.uid === 0 || status.uid === us || isNobodyHere(status.uid)) return undefined;
  return `belongs to user ${status.uid}: it has to be root's${us === 0 ? "" : " or our own"}, chown root`;
}

/**
 * In a user namespace all who are not in its map, root of the machine among them, appear as one user, whom nobody in there
 * can be (user_namespaces(7)) unless the map has that one as well.
 */
function isNobodyHere(uid: number): boolean {
  try {
    const overflow = Number(readFileSync("/proc/sys/kernel/overflowuid", "utf8"));
    if (uid !== overflow) return false;
    const rows = readFileSync("/proc/self/uid_map", "utf8").trim().split("\n");
    return !rows
      .map((row) => row.trim().split(/\s+/).map(Number))
      .some(([first = 0, , count = 0]) => uid >= first && uid < first + count);
  } catch {
    return false;
  }
}
