import {
  closeSync,
  existsSync,
  fchmodSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { lockFile, networkNamespaceCookie } from "../kernel/system.ts";

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
  return { bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), key };
}

/** What a namespace has in the runtime directory: its ledger, its lock, its requests. */
export const namespaceFiles = ["ledger.json", "lock", "connections", "wanted", "adopt.json"] as const;

/** The file of a namespace in the runtime directory. */
export function namespaceFile(
  directory: string,
  namespace: NamespaceIdentity,
  suffix: (typeof namespaceFiles)[number],
): string {
  return join(directory, `netns-${namespace.key}.${suffix}`);
}

/** Creates the directory that the files of namespaces lie in, if it is not there; its parent has to be. */
export function prepareRuntimeDirectory(directory: string): void {
  if (!existsSync(directory)) mkdirSync(directory, { mode: 0o755 });
  if ((statSync(directory).mode & WORLD_WRITABLE) !== 0) throw new Error("everybody may write to it");
}

/** S_IWOTH of inode(7). */
const WORLD_WRITABLE = 0o002;

/** The right to change a namespace's ledger. The kernel gives it back when the process ends, however it ends. */
export class NamespaceLock {
  readonly #fd: number;

  /** @returns the lock, or the pid of the process that has it (undefined if it did not say) */
  static acquire(
    directory: string,
    namespace: NamespaceIdentity,
  ): NamespaceLock | { readonly holder?: number } {
    const file = namespaceFile(directory, namespace, "lock");
    // Whoever can open the file can hold the lock: nobody else may.
    const fd = openSync(file, "a+", 0o600);
    fchmodSync(fd, 0o600);
    if (lockFile(fd)) return new NamespaceLock(fd);
    closeSync(fd);
    const holder = Number.parseInt(readFileSync(file, "utf8"), 10);
    return Number.isNaN(holder) ? {} : { holder };
  }

  private constructor(fd: number) {
    this.#fd = fd;
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
  }

  release(): void {
    ftruncateSync(this.#fd);
    closeSync(this.#fd);
  }
}
