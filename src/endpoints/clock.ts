import { performance } from "node:perf_hooks";

/** Time, as the daemon needs it. Tests give a clock of their own. */
export interface Clock {
  /** Milliseconds that never run backwards. */
  now(): number;
  /** Calls back once, after so many milliseconds; the timer does not keep the process running. */
  schedule(milliseconds: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
