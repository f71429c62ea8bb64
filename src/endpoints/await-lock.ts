import type { Logger } from "../log/log.ts";
import { type Clock, systemClock } from "../time/clock.ts";
import { pollFor } from "../time/poll.ts";
import { type NamespaceIdentity, NamespaceLock } from "./namespace.ts";

export interface AwaitLockOptions {
  readonly log: Pick<Logger, "notice">;
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
  /** One attempt to get the lock; another one in tests. */
  readonly acquire?: () => LockAttempt;
}

export type LockAttempt = ReturnType<typeof NamespaceLock.acquire>;

const INTERVAL = 50;
/** Milliseconds after which a holder that says who it is has the lock for good. `mptcpctl adopt` needs a moment. */
const PATIENCE = 3000;
/** The same of a holder that does not: it is an mptcpd that ends, for which it has 20 s (TimeoutStopSec= of the unit). */
const PATIENCE_WHILE_ENDING = 30_000;

/**
 * Acquires the lock of a namespace; waits for it where somebody has it only for a moment, and logs that. Rejects with the
 * reason of the signal, or what the file system throws.
 *
 * @returns the lock, or the pid of the process that keeps it (undefined if it did not say)
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
  // A new holder is waited for anew.
  for (let first = last.holder; ; ) {
    const isSettled = (): boolean => {
      last = attempt();
      return last instanceof NamespaceLock || last.holder !== first;
    };
    const deadlineMs = first === undefined ? PATIENCE_WHILE_ENDING : PATIENCE;
    const isChanged = await pollFor(isSettled, { intervalMs: INTERVAL, deadlineMs, clock, signal });
    if (!isChanged || last instanceof NamespaceLock) return last;
    first = last.holder;
  }
}

function describe({ holder }: { readonly holder?: number }): string {
  return holder === undefined ? "another process" : `the process with pid ${holder}`;
}
