/** The few system calls that Node has no API for and that are not about netlink. */
import { closeSync, openSync } from "node:fs";
import { bytesOfText } from "../base/bytes.ts";
import { addon, check, SystemError } from "./netlink/addon.ts";

/**
 * Sends one datagram to a UNIX socket, never waiting; `path` is a file, or "@name" for an abstract address.
 * Throws a SystemError: ENOENT, ECONNREFUSED (nobody listens), EAGAIN (the receiver's queue is full), EMSGSIZE.
 */
export function sendDatagram(path: string, data: Uint8Array): void {
  check(`send to ${path}`, addon().sendDatagram(path, data));
}

/** Locks an open file until it is closed (flock(2), exclusive); false if another open file holds the lock. */
export function lockFile(fd: number): boolean {
  const result = addon().lockFile(fd);
  if (result === EWOULDBLOCK) return false;
  check("lock file", result);
  return true;
}

/** A descriptor that means this process and no later one of its pid; undefined if there is none (pidfd_open(2)). */
export function pidfdOpen(pid: number): number | undefined {
  const result = addon().pidfdOpen(pid);
  if (result === ESRCH) return undefined;
  return check(`open process ${pid}`, result);
}

/** @returns false if the process has ended, or is not ours to signal (pidfd_send_signal(2)) */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  const result = addon().pidfdSendSignal(pidfd, signal);
  if (result === ESRCH || result === EPERM) return false;
  check("send signal", result);
  return true;
}

/** The number by which the kernel knows this network namespace, until it is gone; undefined before Linux 5.14. */
export function networkNamespaceCookie(): bigint | undefined {
  const cookie = addon().networkNamespaceCookie();
  if (typeof cookie === "bigint") return cookie;
  if (cookie === ENOPROTOOPT) return undefined;
  throw new SystemError("get network namespace cookie", cookie);
}

/**
 * Becomes another program in another network namespace; this program ends. setns(2) moves the calling thread only
 * and Node has many, hence the new program. `argv` includes argv[0]; the environment stays. Throws an error of
 * node:fs if the namespace's file cannot be opened, and a SystemError if it cannot be entered or `file` not run.
 */
export function enterNetworkNamespaceAndExec(
  namespaceFile: string,
  file: string,
  argv: readonly string[],
): never {
  const fd = openSync(namespaceFile, "r");
  try {
    check(`enter network namespace ${namespaceFile}`, addon().enterNetworkNamespace(fd));
  } finally {
    closeSync(fd);
  }
  throw new SystemError(`run ${file}`, addon().execute(file, argv.map(bytesOfText)));
}

/** Ends the process at once, with its threads, wherever they are (_exit(2)). Nothing is flushed, nobody is asked. */
export function exitNow(status: number): never {
  return addon().exitNow(status);
}

const EPERM = -1;
const ESRCH = -3;
const EWOULDBLOCK = -11;
const ENOPROTOOPT = -92;
