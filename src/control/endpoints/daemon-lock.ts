import { type Clock, systemClock } from "../../base/clock.ts";
import { pollFor } from "../../base/deadlines.ts";
import { hasCode } from "../../base/errors.ts";
import type { Logger } from "../../base/log/log.ts";
import { RetriedWrite } from "../../base/retries.ts";
import { prepareRuntimeDirectory } from "../../base/runtime-directory.ts";
import { type LockHolder, type NamespaceIdentity, NamespaceLock } from "./namespace.ts";

export interface DaemonLockOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
  /**
   * Told when the lock was taken again, after its file was gone: other state files may be gone, or another process's.
   */
  readonly onRetaken?: () => void;
  /** Told when another process has taken the lock meanwhile, and keeps it. Called once. */
  readonly onLost?: (holder: LockHolder) => void;
}

/** What a file system says that cannot be written for now, and not that somebody configured it wrongly. */
const passing: readonly string[] = ["ENOSPC", "EDQUOT", "EROFS", "EISDIR", "EIO"];

/**
 * The namespace's lock for as long as the daemon runs. A file system that cannot be written does not keep the daemon
 * from its work: it takes the lock when it can.
 *
 * Somebody may remove the file while the lock is held; `check` takes the lock again then. If another process was
 * faster, that one keeps it: everybody else finds that one, and nobody finds us.
 */
export class DaemonLock {
  readonly #options: DaemonLockOptions;
  readonly #writes: RetriedWrite;
  #lock: NamespaceLock | undefined;
  /** Another process has the lock; whether it keeps it is not known yet, or it does. */
  #isContested = false;
  #wasGone = false;
  readonly #ending = new AbortController();

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
      consequence: "other programs cannot see that this mptcpd runs: do not start a second one",
    });
  }

  /**
   * Whether this process may write the files of the namespace, until it releases the lock. Where the file system has no
   * lock for anybody, it may. Costs one look at the file.
   */
  get isInForce(): boolean {
    if (this.#isContested || this.#ending.signal.aborted) return false;
    return this.#lock === undefined || this.#lock.isInForce;
  }

  /** Takes the lock again if its file is gone or is another one. */
  check(): void {
    if (this.#isContested || this.#lock === undefined || this.#lock.isInForce) return;
    this.#lock.release();
    this.#lock = undefined;
    this.#wasGone = true;
    this.#writes.attempt(() => this.#keep());
  }

  /** Says that this mptcpd is about to end. */
  announceRelease(): void {
    this.#lock?.announceRelease();
  }

  release(): void {
    this.#ending.abort();
    if (!this.#isContested) this.#writes.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #keep(): void {
    const { directory, namespace } = this.#options;
    prepareRuntimeDirectory(directory);
    const lock = NamespaceLock.acquire(directory, namespace);
    if (lock instanceof NamespaceLock) this.#retake(lock);
    else if (!this.#ending.signal.aborted) void this.#contest();
  }

  #retake(lock: NamespaceLock): void {
    const { directory, log, onRetaken } = this.#options;
    this.#lock = lock;
    this.#isContested = false;
    if (this.#wasGone)
      log.notice(`the lock of this network namespace was gone from ${directory}: mptcpd has made it again`);
    this.#wasGone = false;
    if (!this.#ending.signal.aborted) onRetaken?.();
  }

  /** `mptcpctl adopt` lets go of the lock in a moment, another mptcpd does not. */
  async #contest(): Promise<void> {
    const { directory, namespace, clock, log, onLost } = this.#options;
    const { signal } = this.#ending;
    this.#isContested = true;
    try {
      const lock = await awaitLock(directory, namespace, { clock, log, signal });
      if (!(lock instanceof NamespaceLock)) onLost?.(lock);
      else if (signal.aborted) lock.release();
      else this.#retake(lock);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error && "code" in error)) throw error;
      this.#isContested = false;
      this.#writes.attempt(() => this.#keep());
    }
  }
}

export interface AwaitLockOptions {
  readonly log: Pick<Logger, "notice">;
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
  /** One attempt to get the lock; another one in tests. */
  readonly acquire?: () => LockAttempt;
}

export type LockAttempt = ReturnType<typeof NamespaceLock.acquire>;

const INTERVAL = 50;
/** Milliseconds after which a holder has the lock for good. `mptcpctl adopt` needs a moment. */
const PATIENCE = 3000;
/** The same of an mptcpd that ends, for which it has 20 s (TimeoutStopSec= of the unit). */
const PATIENCE_WHILE_ENDING = 30_000;

/**
 * Acquires the lock of a namespace; waits for it where somebody has it only for a moment, and logs that. Rejects with
 * the reason of the signal, or what the file system throws.
 *
 * @returns the lock, or who keeps it
 */
export async function awaitLock(
  directory: string,
  namespace: NamespaceIdentity,
  { log, clock = systemClock, signal, acquire }: AwaitLockOptions,
): Promise<LockAttempt> {
  const attempt = acquire ?? (() => NamespaceLock.acquire(directory, namespace));
  let last = attempt();
  if (last instanceof NamespaceLock) return last;
  log.notice(`${describe(last)} has the lock of this network namespace; waiting for it to let go`);
  for (;;) {
    // A new holder is waited for anew.
    const seen = last;
    const isSettled = (): boolean => {
      last = attempt();
      return last instanceof NamespaceLock || last.holder !== seen.holder || last.isEnding !== seen.isEnding;
    };
    const deadlineMs = seen.isEnding ? PATIENCE_WHILE_ENDING : PATIENCE;
    const isChanged = await pollFor(isSettled, { intervalMs: INTERVAL, deadlineMs, clock, signal });
    if (!isChanged || last instanceof NamespaceLock) return last;
  }
}

function describe({ holder }: LockHolder): string {
  return holder === undefined ? "another process" : `the process with pid ${holder}`;
}
