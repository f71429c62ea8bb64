/** Time, as everything else gets it. Tests give a clock of their own. */
export interface Clock {
  /** Milliseconds that never run backwards. */
  now(): number;
  /** Calls back once, after so many milliseconds; the timer does not keep the process running. */
  schedule(milliseconds: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/**
 * Resolves when the clock shows so many milliseconds, at once if it shows more. As its timers, it keeps no process
 * running.
 */
export async function until(clock: Clock, due: number): Promise<void> {
  const left = Math.ceil(due - clock.now());
  if (left > 0) await new Promise<void>((resolve) => clock.schedule(left, resolve));
}

/** Calls back again and again, with so many milliseconds between two calls, until it is cancelled. */
export function every(clock: Clock, milliseconds: number, callback: () => void): Timer {
  let timer: Timer;
  const arm = (): void => {
    timer = clock.schedule(milliseconds, () => {
      // Before the call, which may cancel it.
      arm();
      callback();
    });
  };
  arm();
  return { cancel: () => timer.cancel() };
}

/** Keeps the process running until a promise has settled: timers of a clock do not. */
export async function keepRunning<T>(promise: Promise<T>): Promise<T> {
  const keeper = setInterval(() => undefined, LONGEST);
  try {
    return await promise;
  } finally {
    clearInterval(keeper);
  }
}

/** Milliseconds that a timer of Node's takes. */
export const LONGEST = 2 ** 31 - 1;

/**
 * The machine's. After a pause (a suspended machine, a stopped VM, a process that got no processor) the event loop runs
 * timers before it reads what has arrived. A callback therefore waits until everything that had arrived was read: Node
 * polls between a timer and setImmediate().
 */
export const systemClock: Clock = {
  // Node loads much more with `performance`.
  now() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  schedule(milliseconds, callback) {
    let turn: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      turn = setImmediate(callback);
    }, milliseconds).unref();
    return {
      cancel: () => {
        clearTimeout(timer);
        clearImmediate(turn);
      },
    };
  },
};
