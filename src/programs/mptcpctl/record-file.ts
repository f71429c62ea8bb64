/** The file that `mptcpctl record` writes to. */

import { closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { hasCode } from "../../base/errors.ts";
import { removeFile } from "../../base/remove-file.ts";
import { CommandError } from "./exit.ts";

/**
 * Opens a file to write a recording. A file that is there is replaced, not written into: root records, and in a directory
 * of another user it may be a link to a file of root's. A pipe or a device takes the recording as it is.
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

/** Those links are the kernel's: "/dev/stdout", and "/dev/fd/63", which shells give for `>(gzip)`. */
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
      throw new CommandError("ELOOP", "it is a symbolic link, which is not followed; name the file itself");
    throw error;
  }
  if (!fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new CommandError("EEXIST", "it became another file while it was opened; try again");
}
