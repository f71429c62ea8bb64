import type { Logger } from "../log/log.ts";
import type { Clock } from "./clock.ts";
import { type NamespaceIdentity, NamespaceLock, prepareRuntimeDirectory } from "./namespace.ts";
import { RetriedWrite } from "./retried-write.ts";

export interface DaemonLockOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a file system says that cannot be written for now, and not that somebody configured it wrongly. */
const passing: readonly string[] = ["ENOSPC", "EDQUOT", "EROFS", "EISDIR", "EIO"];

/**
 * The namespace's lock for as long as the daemon runs. A file system that cannot be written does not keep the daemon from
 * its work: it takes the lock when it can.
 */
export class DaemonLock {
  readonly #options: DaemonLockOptions;
  readonly #writes: RetriedWrite;
  #lock: NamespaceLock | undefined;

  /**
   * @returns the lock, or the pid of the process that has it (undefined if it did not say)
   * @throws the file system's error where the directory cannot be used
   */
  static take(options: DaemonLockOptions): DaemonLock | { readonly holder?: number } {
    const { directory, namespace } = options;
    const own = new DaemonLock(options);
    try {
      prepareRuntimeDirectory(directory);
      const lock = NamespaceLock.acquire(directory, namespace);
      if (!(lock instanceof NamespaceLock)) return lock;
      own.#lock = lock;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && passing.includes(String(error.code)))) throw error;
    }
    own.#writes.attempt(() => own.#keep());
    return own;
  }

  private constructor(options: DaemonLockOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#writes = new RetriedWrite({
      ...{ clock, log, what: "the lock of this network namespace" },
      consequence: "others cannot tell that this mptcpd runs: start no second one",
    });
  }

  release(): void {
    this.#writes.close();
    this.#lock?.release();
  }

  #keep(): void {
    const { directory, namespace } = this.#options;
    if (this.#lock === undefined) {
      prepareRuntimeDirectory(directory);
      const lock = NamespaceLock.acquire(directory, namespace);
      // Each takes the other's endpoints for somebody else's, so neither does harm meanwhile.
      if (!(lock instanceof NamespaceLock)) {
        const holder = lock.holder === undefined ? "another mptcpd" : `mptcpd with pid ${lock.holder}`;
        throw new Error(`${holder} serves this network namespace as well: stop one`);
      }
      this.#lock = lock;
    }
    this.#lock.sign();
  }
}
