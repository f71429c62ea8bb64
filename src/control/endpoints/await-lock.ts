import { type Clock, systemClock } from "../../base/clock.ts";
import { pollFor } from "../../base/deadlines.ts";
import type { Logger } from "../../base/log/log.ts";
import { type LockHolder, type NamespaceIdentity, NamespaceLock } from "./namespace.ts";

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
 * Acquires the lock of a namespace; waits for it where somebody has it only for a moment, and logs that. Rejects with the
 * reason of the signal, or what the file system throws.
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
