/** Trying again what has failed, after longer and longer waits. */
import type { Clock, Timer } from "./clock.ts";
import { messageOf } from "./errors.ts";

/** Milliseconds before the second attempt. */
const FIRST = 100;
/** Milliseconds; the longest wait between two attempts. */
const LONGEST_WAIT = 30_000;

/** Milliseconds to wait after so many failed attempts: 100, 200, 400 … and never more than 30 s. */
export function waitAfter(attempts: number): number {
  return Math.min(FIRST * 2 ** (attempts - 1), LONGEST_WAIT);
}

export interface RetriedWriteOptions {
  readonly clock: Clock;
  readonly log: Readonly<Record<"debug" | "notice" | "warning", (message: string) => void>>;
  /** What is written, for the notice that it works again: a file's name. */
  readonly what: string;
  /** What does not work until then, for the warning. */
  readonly consequence: string;
}

/**
 * A write to the runtime directory, for a process that goes on when it fails (a full or read-only file system, a quota,
 * a directory in a file's place). That is one warning; the last write is tried again until it works.
 */
export class RetriedWrite {
  readonly #options: RetriedWriteOptions;
  #write: (() => void) | undefined;
  #attempts = 0;
  #said: string | undefined;
  #timer: Timer | undefined;

  constructor(options: RetriedWriteOptions) {
    this.#options = options;
  }

  get isFailing(): boolean {
    return this.#attempts > 0;
  }

  /** Tries now, in place of an earlier write that failed. */
  attempt(write: () => void): void {
    this.#write = write;
    this.#try();
  }

  /** Tries for the last time what has failed until now. */
  close(): void {
    if (this.isFailing) this.#try();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #try(): void {
    const { clock, log, what, consequence } = this.#options;
    this.#timer?.cancel();
    try {
      this.#write?.();
    } catch (error) {
      const message = messageOf(error);
      const wait = waitAfter(++this.#attempts);
      if (message === this.#said) log.debug(`${message}; trying again in ${wait} ms`);
      else log.warning(`${message}; ${consequence}; trying again until it works`);
      this.#said = message;
      this.#timer = clock.schedule(wait, () => this.#try());
      return;
    }
    if (this.isFailing) log.notice(`${what} is up to date again`);
    this.#attempts = 0;
    this.#said = undefined;
  }
}
