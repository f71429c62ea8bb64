/** One at a time: commands that change units read, write and verify, and must not see each other's halves. */

import { closeSync, constants } from "node:fs";
import { resolve } from "node:path";
import { pollFor } from "../base/deadlines.ts";
import { hasCode, messageOf } from "../base/errors.ts";
import { openOrCreateGuarded } from "../base/runtime-directory.ts";
import { lockFile } from "../kernel/file-lock.ts";
import type { DropInDirectories } from "./drop-in.ts";
import { Refusal } from "./refusal.ts";

/** Acts when no other process does. The kernel gives the lock back when a process ends, however it does. */
export async function exclusively<T>(
  directories: DropInDirectories,
  act: () => Promise<T>,
  deadlineMs = 60_000,
): Promise<T> {
  const path = lockPath(directories);
  const fd = open(path);
  if (fd === undefined) return act();
  try {
    if (!(await pollFor(() => lockFile(fd), { intervalMs, deadlineMs })))
      throw new Refusal(
        `another mptcpize has held ${path} for ${deadlineMs} ms: try again when it has ended`,
      );
    return await act();
  } finally {
    closeSync(fd);
  }
}

/** /run/mptcpize.lock, or the same in $XDG_RUNTIME_DIR: not /run/lock, where anybody could hold it. */
export function lockPath({ runtime }: DropInDirectories): string {
  return resolve(runtime, "../../mptcpize.lock");
}

const intervalMs = 20;

function open(path: string): number | undefined {
  try {
    return openOrCreateGuarded(path, constants.O_WRONLY | constants.O_APPEND, 0o600);
  } catch (error) {
    // Without that directory there is no service manager either; systemctl says so, and how to get one.
    if (hasCode(error, "ENOENT")) return undefined;
    throw new Refusal(`${path} cannot be locked (${messageOf(error)})`, { cause: error });
  }
}
