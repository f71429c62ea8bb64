import { type Clock, keepRunning } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import { SystemError } from "./addon.ts";
import { NetlinkError } from "./errors.ts";

export interface Persistence {
  readonly log: Logger;
  readonly clock: Clock;
  /** Ends the attempts: they reject with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between two attempts, at first and at most. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5000;

/**
 * Repeats a request until the kernel answers it, after longer and longer pauses, and logs what it waits for. Rejects
 * with an error that another attempt would meet again. For the start, which is worth nothing without the answer: the
 * process keeps running meanwhile.
 */
export function persist<T>(attempt: () => Promise<T>, persistence: Persistence): Promise<T> {
  return keepRunning(repeat(attempt, persistence));
}

async function repeat<T>(attempt: () => Promise<T>, { log, clock, signal }: Persistence): Promise<T> {
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      const result = await unlessAborted(attempt(), signal);
      if (wait > FIRST_WAIT) log.notice("the kernel answers again");
      return result;
    } catch (error) {
      if (signal?.aborted || !isPassing(error)) throw error;
      log.warning(`${error.message}; waiting for the kernel, the next attempt is in ${wait} ms`);
    }
    await unlessAborted(new Promise<void>((resolve) => clock.schedule(wait, resolve)), signal);
  }
}

/** What a promise gives; rejects with the signal's reason where that comes first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The kernel is slow, busy, or short of something: the same request may succeed later. */
function isPassing(error: unknown): error is Error {
  if (error instanceof NetlinkError) return error.retryable || shortages.has(error.code);
  return error instanceof SystemError && shortages.has(error.code);
}

const shortages = new Set(["EAGAIN", "EBUSY", "EINTR", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);
