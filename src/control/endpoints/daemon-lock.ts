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
   * Called when this process has taken the lock again because its file was gone. Other state files may also be gone, or
   * belong to another process.
   */
  readonly onRetaken?: () => void;
  /** Called once, when another process has taken the lock meanwhile and keeps it. */
  readonly onLost?: (holder: LockHolder) => void;
}

/** Errors of a file system that cannot be written for now. Other errors mean a wrong configuration. */
const passing: readonly string[] = ["ENOSPC", "EDQUOT", "EROFS", "EISDIR", "EIO"];

/**
 * The namespace's lock, held as long as the daemon runs. If the file system cannot be written, the daemon works without
 * the lock and takes it as soon as it can.
 *
 * Somebody may remove the file while the lock is held; then `check` takes the lock again. If another process was
 * faster, that process keeps it: all programs find the other process, and none finds this one.
 */
export class DaemonLock {
  readonly #options: DaemonLockOptions;
  readonly #writes: RetriedWrite;
  #lock: NamespaceLock | undefined;
  /** Another process has the lock. It keeps it, or whether it does is not known yet. */
  #isContested = false;
  #wasGone = false;
  readonly #ending = new AbortController();

  /**
   * Acquires the lock; waits if somebody holds it only for a moment.
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
   * Whether this process may write the files of the namespace, until it releases the lock. It also may if the file
   * system lets nobody lock. Costs one look at the file.
   */
  get isInForce(): boolean {
    if (this.#isContested || this.#ending.signal.aborted) return false;
    return this.#lock === undefined || this.#lock.isInForce;
  }

  /** Takes the lock again if its file is gone or was replaced. */
  check(): void {
    if (this.#isContested || this.#lock === undefined || this.#lock.isInForce) return;
    this.#lock.release();
    this.#lock = undefined;
    this.#wasGone = true;
    this.#writes.attempt(() => this.#keep());
  }

  /** Tells whoever waits for the lock that this mptcpd is about to end. */
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
  /** Makes one attempt to get the lock; tests replace it. */
  readonly acquire?: () => LockAttempt;
}

export type LockAttempt = ReturnType<typeof NamespaceLock.acquire>;

const INTERVAL = 50;
/** Milliseconds after which a holder counts as permanent. `mptcpctl adopt` needs the lock only for a moment. */
const PATIENCE = 3000;
/** The same for an mptcpd that is ending; the unit gives it 20 s (TimeoutStopSec=). */
const PATIENCE_WHILE_ENDING = 30_000;

/**
 * Acquires the lock of a namespace. If somebody holds it only for a moment, waits for it and logs that. Rejects with
 * the reason of the signal, or with the file system's error.
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
    // For a new holder, the waiting time starts again.
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
