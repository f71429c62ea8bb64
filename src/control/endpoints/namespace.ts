import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { hasCode } from "../../base/errors.ts";
import { openOrCreateGuarded } from "../../base/runtime-directory.ts";
import { lockFile, lockHolder } from "../../kernel/file-lock.ts";
import { networkNamespaceCookie } from "../../kernel/network-namespace.ts";

/** Which network namespace this process is in; a boot later its numbers mean nothing. */
export interface NamespaceIdentity {
  readonly bootId: string;
  /** What the namespace's files are named by. */
  readonly key: string;
}

/**
 * The cookie (SO_NETNS_COOKIE) is never given to another namespace while the system is up. Kernels before 5.14
 * have none; the inode stands in for it, which may be used again once a namespace is gone.
 */
export function currentNamespace(): NamespaceIdentity {
  const cookie = networkNamespaceCookie();
  const key = cookie === undefined ? `inode-${statSync("/proc/self/ns/net").ino}` : String(cookie);
  return { bootId: bootId(), key };
}

/**
 * In a container (systemd-nspawn, LXC) /proc shows an id of the container's. A service that has a /proc of its own, as
 * sandboxes have, sees the machine's instead: the unit gives it the one that all others see there.
 */
function bootId(): string {
  const { MPTCPD_BOOT_ID: given } = process.env;
  const id = given ?? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return id.replaceAll("-", "");
}

/** What a namespace has in the runtime directory: its ledger, its lock, its requests. */
export const namespaceFiles = [
  "ledger.json",
  "lock",
  "connections",
  "wanted",
  "refused",
  "adopt.json",
  "reload",
] as const;

/** The file of a namespace in the runtime directory. */
export function namespaceFile(
  directory: string,
  namespace: NamespaceIdentity,
  suffix: (typeof namespaceFiles)[number],
): string {
  return join(directory, `netns-${namespace.key}.${suffix}`);
}

/**
 * The runtime directory that mptcpd last used in a namespace: mptcp.service's, or that of an instance of
 * mptcpd@.service, which has its own. mptcp.service's if there is none. One that we may not look into may be it, and
 * whoever reads there will hear that they may not.
 */
export function runtimeDirectoryFor(namespace: NamespaceIdentity, root = "/run"): string {
  const usual = join(root, "mptcpd");
  const all = [
    usual,
    ...readdirSync(root).flatMap((name) => (name.startsWith("mptcpd@") ? join(root, name) : [])),
  ];
  const used = all.flatMap((directory) => {
    const time = timeOf(namespaceFile(directory, namespace, "lock"));
    return time === undefined ? [] : { directory, time };
  });
  return used.reduce((last, one) => (one.time > last.time ? one : last), { directory: usual, time: 0 })
    .directory;
}

function timeOf(file: string): number | undefined {
  try {
    return statSync(file).mtimeMs;
  } catch (error) {
    const denied = hasCode(error, "EACCES");
    return denied ? Number.POSITIVE_INFINITY : undefined;
  }
}

/** The process that has the lock. */
export interface LockHolder {
  /** Its pid; undefined if the kernel does not show it here. */
  readonly holder?: number;
  /** It has said that it is about to end. */
  readonly isEnding?: boolean;
}

/** The right to change a namespace's ledger. The kernel gives it back when the process ends, however it ends. */
export class NamespaceLock {
  readonly #fd: number;
  readonly #file: string;

  /** @returns the lock, or who has it */
  static acquire(directory: string, namespace: NamespaceIdentity): NamespaceLock | LockHolder {
    const file = namespaceFile(directory, namespace, "lock");
    for (;;) {
      // A process that can open the file can hold the lock: no other user may.
      const fd = openOrCreateGuarded(file, constants.O_RDWR | constants.O_APPEND, 0o600);
      let isEnding: boolean;
      try {
        fchmodSync(fd, 0o600);
        const held = !lockFile(fd);
        // Somebody cleaned up meanwhile: a lock on a file that has no name excludes nobody.
        if (fstatSync(fd).ino !== statSync(file, { throwIfNoEntry: false })?.ino) {
          closeSync(fd);
          continue;
        }
        if (!held) return new NamespaceLock(fd, file);
        isEnding = fstatSync(fd).size === 0;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      closeSync(fd);
      const holder = lockHolder(file);
      return { ...(holder !== undefined && { holder }), ...(isEnding && { isEnding }) };
    }
  }

  private constructor(fd: number, file: string) {
    this.#fd = fd;
    this.#file = file;
    try {
      ftruncateSync(fd);
      writeSync(fd, `${process.pid}\n`);
    } catch {
      // For people who look; the lock holds without it, as on a full file system.
    }
  }

  /** Whether the locked file still has its name. If somebody has removed it, the lock excludes nobody. */
  get isInForce(): boolean {
    try {
      const [there, held] = [lstatSync(this.#file, { throwIfNoEntry: false }), fstatSync(this.#fd)];
      return there?.ino === held.ino && there.dev === held.dev;
    } catch {
      // A file system that does not answer has not lost the file.
      return true;
    }
  }

  /** Says that the holder is about to end: whoever waits for the lock need not give up. */
  announceRelease(): void {
    try {
      ftruncateSync(this.#fd);
    } catch {
      // They then wait for a shorter time.
    }
  }

  release(): void {
    this.announceRelease();
    closeSync(this.#fd);
  }
}
