import { unlinkSync } from "node:fs";
import { codeOf } from "./errors.ts";

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
