/**
 * The memory that a thread of path managers shares with the daemon: what it tells without a message, since it may be
 * blocked.
 */
import { type Clock, every, type Timer } from "../../base/clock.ts";
import { NetlinkSocket, type OpenTransport } from "../../kernel/netlink/socket.ts";
import { currentThread, type ThreadUsage } from "../../kernel/threads.ts";
import type { HandlerName } from "./api.ts";
import { handlerNames } from "./handler-calls.ts";
import type { HandlerWatch, LoadedPathManager } from "./running-path-manager.ts";

/**
 * Places of the shared memory by which the daemon sees whether the thread is alive, what it is at (`loading`: which of
 * the sources, from 1), what memory it holds beside its objects (MiB), who it is for the kernel, and whether it is in a
 * request to the kernel (1).
 */
export const Pulse = {
  ...{ beats: 0, pathManager: 1, event: 2, thread: 3, loading: 4, buffers: 5, request: 6 },
  length: 7,
} as const;

/** The events that `Pulse.event` counts, from 1. */
export const pulseEvents: readonly (HandlerName | "setup" | "endpoints" | "timer")[] = [
  "setup",
  "endpoints",
  "timer",
  ...handlerNames,
];

const MIB = 1024 * 1024;
/** Milliseconds. */
const HEARTBEAT = 250;

/** Shows from now on that this thread is alive. */
export function beginToBeat(pulse: Int32Array, clock: Clock): void {
  Atomics.store(pulse, Pulse.thread, currentThread());
  every(clock, HEARTBEAT, () => beat(pulse));
}

function beat(pulse: Int32Array): void {
  Atomics.store(pulse, Pulse.buffers, Math.round(process.memoryUsage().external / MIB));
  Atomics.add(pulse, Pulse.beats, 1);
}

/** Sockets that mark in the pulse that the kernel has the thread: it may hold whoever sends a request. */
export function openMarked(pulse: Int32Array): OpenTransport {
  return (options) => {
    const socket = NetlinkSocket.open(options);
    const sendNow = socket.sendNow.bind(socket);
    return Object.assign(socket, {
      sendNow: (message: Uint8Array) => {
        Atomics.store(pulse, Pulse.request, 1);
        try {
          sendNow(message);
        } finally {
          Atomics.store(pulse, Pulse.request, 0);
        }
      },
    });
  };
}

/** Shows whose code runs, and for what. */
export function watchIn(pulse: Int32Array, pathManagers: readonly LoadedPathManager[]): HandlerWatch {
  const names = new Map(pathManagers.map(({ definition }, index) => [definition.name, index + 1]));
  const events = new Map<string, number>(pulseEvents.map((event, index) => [event, index + 1]));
  return {
    enter(pathManager, event) {
      Atomics.store(pulse, Pulse.pathManager, names.get(pathManager) ?? 0);
      Atomics.store(pulse, Pulse.event, events.get(event) ?? 0);
    },
    leave() {
      Atomics.store(pulse, Pulse.pathManager, 0);
    },
  };
}

export interface PulseWatchOptions {
  /** Int32Array of `Pulse`. */
  readonly pulse: Int32Array;
  readonly clock: Clock;
  /** What each other thread of the process is doing. */
  readonly usages: () => ReadonlyMap<number, ThreadUsage>;
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
 * Looks at the pulse of a thread of path managers. A thread is blocked when its own code keeps it from beating. Three
 * other reasons for a missing beat are no reason to end the thread: the whole process stood still, others have the
 * processor, or the kernel has not answered a request of the thread (another thread would wait just as long).
 */
export class PulseWatch {
  readonly #options: PulseWatchOptions;
  readonly #timer: Timer;
  #beats = 0;
  #lastLook: number;
  /** Milliseconds without a beat, as far as that is the thread's own doing, and the kernel's. */
  #blocked = 0;
  #held = 0;
  /** As the last look without a beat has found the threads. */
  #usages: ReadonlyMap<number, ThreadUsage> | undefined;

  constructor(options: PulseWatchOptions) {
    this.#options = options;
    this.#lastLook = options.clock.now();
    this.#timer = every(options.clock, LOOK, () => this.#look());
  }

  stop(): void {
    this.#timer.cancel();
  }

  /** The thread has shown in another way that it is alive. */
  restart(): void {
    this.#blocked = 0;
    this.#held = 0;
    this.#usages = undefined;
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
      this.restart();
    } else if (Atomics.load(pulse, Pulse.request) !== 0) {
      const before = this.#held;
      this.#held += passed;
      if (before < limit() && this.#held >= limit()) onHeld(this.#held);
    } else this.#blocked += this.#ownPart(passed);
    onLook(isAlive);
    if (this.#blocked >= limit()) onBlocked(limit());
  }

  /**
   * How much of the time since the last look was the thread's own. While it waits for a processor, that is what it got.
   * While it sleeps, it may wait for another thread of ours, such as that of the module hooks: then it is what that one
   * got.
   */
  #ownPart(passed: number): number {
    const usages = this.#options.usages();
    const before = this.#usages;
    this.#usages = usages;
    const thread = Atomics.load(this.#options.pulse, Pulse.thread);
    const [usage, earlier] = [usages.get(thread), before?.get(thread)];
    if (usage?.runnable) return earlier === undefined ? 0 : Math.min(usage.ran - earlier.ran, passed);
    const waits = Array.from(usages, ([number, other]) => waitBetween(before?.get(number), other, passed));
    return Math.max(passed - Math.max(0, ...waits), 0);
  }
}

/** Milliseconds that a thread has waited for a processor between two looks. */
function waitBetween(before: ThreadUsage | undefined, now: ThreadUsage, passed: number): number {
  if (before === undefined) return 0;
  // The kernel counts a wait when it is over.
  if (before.runnable && now.runnable) return passed - (now.ran - before.ran);
  return now.waited - before.waited;
}

/** MiB of what is no object, buffers for the most part, which Node sets no limit to. */
const LARGEST_BUFFERS = 1024;

/** Looks at the memory of a thread that its heap's limit does not cover. */
export class MemoryWatch {
  readonly #pulse: Int32Array;
  /** MiB that the process had when the thread last showed that it is alive. */
  #atLastBeat = megabytes();

  constructor(pulse: Int32Array) {
    this.#pulse = pulse;
  }

  /** As the thread says itself; while it does not beat, what the process has grown by is taken for its own. */
  isTooMuch(isAlive: boolean): boolean {
    if (isAlive) this.#atLastBeat = megabytes();
    const buffers = Math.max(Atomics.load(this.#pulse, Pulse.buffers), megabytes() - this.#atLastBeat);
    return buffers > LARGEST_BUFFERS;
  }
}

/** What this process has in memory, all threads together. */
function megabytes(): number {
  return process.memoryUsage.rss() / MIB;
}
