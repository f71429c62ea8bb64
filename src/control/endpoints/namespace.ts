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

/** Which network namespace this process is in. Its numbers mean nothing after a reboot. */
export interface NamespaceIdentity {
  readonly bootId: string;
  /** Part of the names of the namespace's files. */
  readonly key: string;
}

/**
 * The cookie (SO_NETNS_COOKIE) is never given to another namespace while the system is up. Kernels before 5.14 have no
 * cookie; there the inode is used, although another namespace may get the same inode once this one is gone.
 */
export function currentNamespace(): NamespaceIdentity {
  const cookie = networkNamespaceCookie();
  const key = cookie === undefined ? `inode-${statSync("/proc/self/ns/net").ino}` : String(cookie);
  return { bootId: bootId(), key };
}

/**
 * In a container (systemd-nspawn, LXC) /proc shows the container's boot id. But a service with a /proc of its own, as
 * in a sandbox, sees the machine's boot id: so the unit passes it the id that all other processes of the container see.
 */
function bootId(): string {
  const { MPTCPD_BOOT_ID: given } = process.env;
  const id = given ?? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return id.replaceAll("-", "");
}

/** The files of a namespace in the runtime directory: its ledger, its lock, its requests. */
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
 * The runtime directory that mptcpd last used in a namespace: of mptcp.service, or of an instance of mptcpd@.service,
 * each of which has its own. If no directory has files of the namespace, that of mptcp.service. A directory that we may
 * not look into may be the right one: then reading there fails, and the user learns why.
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
  /** It has announced that it is about to end. */
  readonly isEnding?: boolean;
}

/** The right to change a namespace's ledger. The kernel releases it when the process ends, however it ends. */
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
        // Somebody has removed the file meanwhile: a lock on a file without a name excludes nobody.
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
      // The pid is only for people who look; the lock holds without it, for example on a full file system.
    }
  }

  /** Whether the locked file still has its name. If somebody has removed the file, the lock excludes nobody. */
  get isInForce(): boolean {
    try {
      const [there, held] = [lstatSync(this.#file, { throwIfNoEntry: false }), fstatSync(this.#fd)];
      return there?.ino === held.ino && there.dev === held.dev;
    } catch {
      // The file system does not answer; that does not mean that the file is gone.
      return true;
    }
  }

  /** Announces that the holder is about to end, so that whoever waits for the lock does not give up. */
  announceRelease(): void {
    try {
      ftruncateSync(this.#fd);
    } catch {
      // Without the announcement, others wait for a shorter time.
    }
  }

  release(): void {
    this.announceRelease();
    closeSync(this.#fd);
  }
}
