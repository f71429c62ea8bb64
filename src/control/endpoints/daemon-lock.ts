import type { Clock } from "../../base/clock.ts";
import { hasCode } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import { RetriedWrite } from "../../base/retried-write.ts";
import { prepareRuntimeDirectory } from "../../base/write-state-file.ts";
import { awaitLock } from "./await-lock.ts";
import { type LockHolder, type NamespaceIdentity, NamespaceLock } from "./namespace.ts";

export interface DaemonLockOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
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
   * Waits for a lock that somebody has only for a moment.
   *
   * @returns the lock, or who keeps it
   * @throws the file system's error where the directory cannot be used; the signal's reason
   */
  static async take(options: DaemonLockOptions): Promise<DaemonLock | LockHolder> {
    const { directory, namespace, signal } = options;
    const own = new DaemonLock(options);
    try {
      prepareRuntimeDirectory(directory);
      const lock = await awaitLock(directory, namespace, options);
      if (!(lock instanceof NamespaceLock)) return lock;
      own.#lock = lock;
    } catch (error) {
      if (signal?.aborted || !hasCode(error, ...passing)) throw error;
      own.#writes.attempt(() => own.#keep());
    }
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

  /** Says that this mptcpd is about to end. */
  announceRelease(): void {
    this.#lock?.announceRelease();
  }

  release(): void {
    this.#writes.close();
    this.#lock?.release();
  }

  #keep(): void {
    const { directory, namespace } = this.#options;
    prepareRuntimeDirectory(directory);
    const lock = NamespaceLock.acquire(directory, namespace);
    // Each takes the other's endpoints for somebody else's, so neither does harm meanwhile.
    if (!(lock instanceof NamespaceLock)) {
      const holder = lock.holder === undefined ? "another mptcpd" : `mptcpd with pid ${lock.holder}`;
      throw new Error(`${holder} serves this network namespace as well: stop one`);
    }
    this.#lock = lock;
  }
}
