/**
 * Only one command at a time changes units: it reads, writes and verifies, and must not see another's half-done work.
 */

import { closeSync, constants } from "node:fs";
import { resolve } from "node:path";
import { pollFor } from "../base/deadlines.ts";
import { hasCode, messageOf } from "../base/errors.ts";
import { openOrCreateGuarded } from "../base/runtime-directory.ts";
import { lockFile } from "../kernel/file-lock.ts";
import type { DropInDirectories } from "./drop-in.ts";
import { Refusal } from "./refusal.ts";

/** Acts while no other process does. The kernel releases the lock when the process ends, also when it is killed. */
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

/** /run/mptcpize.lock, or the same file in $XDG_RUNTIME_DIR. In /run/lock, any user could hold the lock. */
export function lockPath({ runtime }: DropInDirectories): string {
  return resolve(runtime, "../../mptcpize.lock");
}

const intervalMs = 20;

function open(path: string): number | undefined {
  try {
    return openOrCreateGuarded(path, constants.O_WRONLY | constants.O_APPEND, 0o600);
  } catch (error) {
    // Without this directory there is no service manager either. systemctl will say so, and what to do.
    if (hasCode(error, "ENOENT")) return undefined;
    throw new Refusal(`${path} cannot be locked (${messageOf(error)})`, { cause: error });
  }
}
