import { type Clock, LONGEST } from "../../base/clock.ts";

export interface TimersOptions {
  readonly clock: Clock;
  /** Ends them all. */
  readonly signal: AbortSignal;
  /** Runs a callback of the path manager's, and takes the blame for what it throws. */
  readonly guard: (event: string, callback: () => unknown) => void;
}

/** The timers of a path manager; see PathManager for what each method promises. */
export class Timers {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #guard: TimersOptions["guard"];

  constructor({ clock, signal, guard }: TimersOptions) {
    this.#clock = clock;
    this.#signal = signal;
    this.#guard = guard;
  }

  after(milliseconds: number, callback: () => unknown): () => void {
    requireWait(milliseconds);
    if (this.#signal.aborted) return () => undefined;
    const end = (): void => {
      timer.cancel();
      this.#signal.removeEventListener("abort", end);
    };
    const timer = this.#clock.schedule(milliseconds, () => {
      end();
      this.#guard("timer", callback);
    });
    this.#signal.addEventListener("abort", end);
    return end;
  }

  every(milliseconds: number, callback: () => unknown): () => void {
    let ended = false;
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = this.after(milliseconds, () => {
        if (!ended) arm();
        return callback();
      });
    };
    arm();
    return () => {
      ended = true;
      cancel();
    };
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      requireWait(milliseconds);
      this.#signal.throwIfAborted();
      const abort = (): void => {
        timer.cancel();
        reject(this.#signal.reason);
      };
      const timer = this.#clock.schedule(milliseconds, () => {
        this.#signal.removeEventListener("abort", abort);
        resolve();
      });
      this.#signal.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Milliseconds that a timer takes. Throws RangeError. */
export function requireWait(milliseconds: number): number {
  if (milliseconds >= 0 && milliseconds <= LONGEST) return milliseconds;
  throw new RangeError(
    `${milliseconds} is no time to wait: allowed are 0 to ${LONGEST} milliseconds (24 days)`,
  );
}
