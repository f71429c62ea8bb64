/**
 * Locks on files (flock(2)), and who holds one. The kernel is asked for that: what a file says, or a command line,
 * anybody may have written.
 */

import {
  type BigIntStats,
  closeSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { hasCode } from "../base/errors.ts";
import { addon, check } from "./netlink/addon.ts";

/** Locks an open file until it is closed (flock(2), exclusive); false if another open file holds the lock. */
export function lockFile(fd: number): boolean {
  const result = addon().lockFile(fd);
  if (result === EWOULDBLOCK) return false;
  check("lock file", result);
  return true;
}

/** The process that locked the file; undefined if none did, or none that has a pid in our pid namespace. */
export function lockHolder(file: string): number | undefined {
  const status = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return status && candidates(status).find((pid) => holds(pid, status) !== false);
}

/** Whether a process has locked the file that is not this one. */
export function isLockedByOther(file: string): boolean {
  const holder = lockHolder(file);
  // Not process.pid: /proc may be that of another pid namespace.
  return holder !== undefined && String(holder) !== readlinkSync("/proc/self");
}

/**
 * Sends a signal to the process that holds the lock, if that handles it: nobody is ended by it. The process is held
 * fast by a descriptor before it is looked at, so that another that gets its pid meanwhile is not meant.
 *
 * @returns its pid; undefined if no process was told
 */
export function signalLockHolder(file: string, signal: NodeJS.Signals): number | undefined {
  const status = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (status === undefined) return undefined;
  return candidates(status).find((pid) => {
    const pidfd = pidfdOpen(pid);
    if (pidfd === undefined) return false;
    try {
      return (
        holds(pid, status) === true && handles(pid, signal) && pidfdSendSignal(pidfd, signalNumber(signal))
      );
    } finally {
      closeSync(pidfd);
    }
  });
}

/**
 * proc_locks(5): "1: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF". The number of the device is not stat(2)'s on every
 * file system: `holds` tells files apart.
 */
function candidates({ ino }: BigIntStats): number[] {
  const rows = (readOrNothing("/proc/locks") ?? "").split("\n").map((row) => row.trim().split(/\s+/));
  const fitting = rows.filter(
    ([, kind, , , , file]) => kind === "FLOCK" && file?.split(":")[2] === String(ino),
  );
  return [...new Set(fitting.map(([, , , , pid]) => Number(pid)))].filter((pid) => pid > 0);
}

/** Whether a process has a descriptor of the file with a lock that it took itself; undefined if that cannot be seen. */
function holds(pid: number, { dev, ino }: BigIntStats): boolean | undefined {
  const process = join("/proc", String(pid));
  let names: string[];
  try {
    names = readdirSync(join(process, "fd"));
  } catch (error) {
    const denied = hasCode(error, "EACCES");
    return denied ? undefined : false;
  }
  return names.some((name) => {
    const target = statOrNothing(join(process, "fd", name));
    if (target?.dev !== dev || target.ino !== ino) return false;
    // "lock:	1: FLOCK  ADVISORY  WRITE 4711 …": those of this descriptor (fs/proc/fd.c).
    const locks = (readOrNothing(join(process, "fdinfo", name)) ?? "").match(/^lock:.*$/gm) ?? [];
    return locks.some((lock) => new RegExp(`\\bFLOCK\\b.*\\bWRITE ${pid}\\b`).test(lock));
  });
}

/** proc_pid_status(5): SigCgt is the mask of the signals that it handles. */
function handles(pid: number, signal: NodeJS.Signals): boolean {
  const status = readOrNothing(join("/proc", String(pid), "status")) ?? "";
  const mask = /^SigCgt:\s*([\da-f]+)$/m.exec(status)?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(signalNumber(signal) - 1)) & 1n) === 1n;
}

function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}

function statOrNothing(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** A process may end at any time, and /proc may be hidden. */
function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** A descriptor that means this process and no later one of its pid; undefined if there is none (pidfd_open(2)). */
function pidfdOpen(pid: number): number | undefined {
  const result = addon().pidfdOpen(pid);
  if (result === ESRCH) return undefined;
  return check(`open process ${pid}`, result);
}

/** @returns false if the process has ended, or is not ours to signal (pidfd_send_signal(2)) */
function pidfdSendSignal(pidfd: number, signal: number): boolean {
  const result = addon().pidfdSendSignal(pidfd, signal);
  if (result === ESRCH || result === EPERM) return false;
  check("send signal", result);
  return true;
}

const EPERM = -1;
const ESRCH = -3;
const EWOULDBLOCK = -11;
