/** Looking into other network namespaces without moving there: a socket belongs to the one in which it was made. */
import { closeSync, openSync } from "node:fs";
import { addon, check } from "./netlink/addon.ts";

/**
 * Runs `open` in a network namespace; what it opens stays there. It must not wait: setns(2) moves this thread, which
 * is back when `open` has returned. Takes CAP_SYS_ADMIN. Throws what `open` throws, an error of node:fs if there is
 * no such file, and a SystemError if it is no network namespace or may not be entered.
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
