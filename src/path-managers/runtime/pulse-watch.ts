import { type Clock, every, type Timer } from "../../base/clock.ts";
import type { ThreadUsage } from "../../kernel/threads.ts";
import { Pulse } from "./pulse.ts";

export interface PulseWatchOptions {
  /** Int32Array of `Pulse`. */
  readonly pulse: Int32Array;
  readonly clock: Clock;
  readonly usageOf: (thread: number) => ThreadUsage | undefined;
  /** Milliseconds without a beat until the thread is taken for blocked. */
  readonly limit: () => number;
  /** Called at each look, with whether the thread has shown since the last one that it is alive. */
  readonly onLook: (isAlive: boolean) => void;
  readonly onBlocked: (limit: number) => void;
  /** The kernel has not let go of the thread for so long. Called once each time. */
  readonly onHeld: (milliseconds: number) => void;
}

/** Milliseconds between two looks. */
const LOOK = 500;

/**
 * Looks at the pulse of a thread of path managers. A thread is blocked when its own code keeps it from beating. Three other
 * reasons for a missing beat are no reason to end the thread: the whole process stood still, others have the processor, or
 * the kernel has not answered a request of the thread (another thread would wait just as long).
 */
export class PulseWatch {
  readonly #options: PulseWatchOptions;
  readonly #timer: Timer;
  #beats = 0;
  #lastLook: number;
  /** Milliseconds without a beat, as far as that is the thread's own doing, and the kernel's. */
  #blocked = 0;
  #held = 0;
  #ran: number | undefined;

  constructor(options: PulseWatchOptions) {
    this.#options = options;
    this.#lastLook = options.clock.now();
    this.#timer = every(options.clock, LOOK, () => this.#look());
  }

  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { clock, pulse, limit, onLook, onBlocked, onHeld } = this.#options;
    const now = clock.now();
    const passed = now - this.#lastLook;
    this.#lastLook = now;
    const beats = Atomics.load(pulse, Pulse.beats);
    const isAlive = beats !== this.#beats;
    this.#beats = beats;
    if (isAlive || passed > 2 * LOOK) {
      // This thread slept as well if it looks so late: that says nothing of the other.
      this.#blocked = 0;
      this.#held = 0;
      this.#ran = undefined;
    } else if (Atomics.load(pulse, Pulse.request) !== 0) {
      const before = this.#held;
      this.#held += passed;
      if (before < limit() && this.#held >= limit()) onHeld(this.#held);
    } else this.#blocked += this.#ownPart(passed);
    onLook(isAlive);
    if (this.#blocked >= limit()) onBlocked(limit());
  }

  /** How much of the time since the last look was the thread's own: while it waits for a processor, only what it got. */
  #ownPart(passed: number): number {
    const { pulse, usageOf } = this.#options;
    const usage = usageOf(Atomics.load(pulse, Pulse.thread));
    const before = this.#ran;
    this.#ran = usage?.ran;
    if (usage === undefined || !usage.runnable) return passed;
    return before === undefined ? 0 : Math.min(usage.ran - before, passed);
  }
}
