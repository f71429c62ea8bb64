/** This network namespace, and others: to look into without moving there, or for another program to run in. */
import { closeSync, openSync } from "node:fs";
import { bytesOfText } from "../base/bytes.ts";
import { addon, check, SystemError } from "./netlink/addon.ts";

/** Where `ip netns` keeps the names of network namespaces (ip-netns(8)). */
export const namespaceDirectory = "/run/netns";

/**
 * Runs `open` in a network namespace. What it opens stays there: a socket belongs to the namespace in which it was
 * made. `open` must not wait: setns(2) moves this thread, which is back when `open` has returned. Takes CAP_SYS_ADMIN.
 * Throws what `open` throws, an error of node:fs if there is no such file, and a SystemError if it is not a network
 * namespace or may not be entered.
 *
 * @param namespaceFile such as /proc/1234/ns/net
 */
export function openInNetworkNamespace<Opened>(namespaceFile: string, open: () => Opened): Opened {
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    enter(namespaceFile);
    try {
      return open();
    } finally {
      leave(namespaceFile, home);
    }
  } finally {
    closeSync(home);
  }
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
  enter(namespaceFile);
  throw new SystemError(`run ${file}`, addon().execute(file, argv.map(bytesOfText)));
}

function enter(namespaceFile: string): void {
  const target = openSync(namespaceFile, "r");
  try {
    check(`enter network namespace ${namespaceFile}`, addon().enterNetworkNamespace(target));
  } finally {
    closeSync(target);
  }
}

/** An error without a code: nobody may take it for a namespace that could not be looked into, and go on in there. */
function leave(namespaceFile: string, home: number): void {
  if (addon().enterNetworkNamespace(home) < 0)
    throw new Error(`this thread is caught in network namespace ${namespaceFile}`);
}

const ENOPROTOOPT = -92;
