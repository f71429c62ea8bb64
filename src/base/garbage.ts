/**
 * Collects garbage when the process rests. V8 collects only while objects are made, so what the last burst of work has
 * left would stay as long as the rest lasts.
 */
import { type Clock, every } from "./clock.ts";

/** The memory of this thread, and what shows whether the process works. */
export interface Heap {
  /** Bytes of memory: objects, garbage and room for more. */
  size(): number;
  /** Microseconds of CPU that all threads have had so far. */
  cpu(): number;
  collect(): void;
}

/** Milliseconds between two looks. */
const LOOK = 1000;
/** Microseconds of CPU between two looks: a process that uses less rests. */
const MOST_CPU = 20_000;
/** Bytes of growth that are worth a collection. A few changes take less. */
const WORTHWHILE = 1.5 * 1024 * 1024;
/** Bytes. A larger heap would hold up the thread for too long: V8 collects it in steps. */
const LARGEST = 32 * 1024 * 1024;

/** Looks at the heap of this thread, and collects its garbage when that is worth it. */
export class GarbageCollector {
  readonly #clock: Clock;
  readonly #heap: Heap | undefined;
  #cpu = 0;
  /** Bytes that the last collection has left. */
  #kept = 0;
  #isWatching = false;

  constructor(clock: Clock, heap: Heap | undefined = ownHeap()) {
    this.#clock = clock;
    this.#heap = heap;
  }

  /** There was work: looks every second until the process rests. */
  worked(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const timer = every(this.#clock, LOOK, () => {
      if (!this.#look()) return;
      this.#isWatching = false;
      timer.cancel();
    });
  }

  /** There may be work at any time: looks every second for good. */
  watch(): void {
    every(this.#clock, LOOK, () => this.#look());
  }

  /** @returns whether the process rests */
  #look(): boolean {
    if (this.#heap === undefined) return true;
    const before = this.#cpu;
    this.#cpu = this.#heap.cpu();
    if (this.#cpu - before > MOST_CPU) return false;
    const size = this.#heap.size();
    if (size - this.#kept < WORTHWHILE || size > LARGEST) return true;
    this.#heap.collect();
    this.#kept = this.#heap.size();
    return true;
  }
}

/** Undefined: Node was started without --expose-gc. */
function ownHeap(): Heap | undefined {
  const { gc } = globalThis;
  if (gc === undefined) return undefined;
  return {
    size: () => process.memoryUsage().heapTotal,
    cpu() {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    collect: () => collectAll(gc),
  };
}

/** Also gives free pages back: Node 20, which knows no flavor, does that at a second collection a little later. */
function collectAll(gc: NodeJS.GCFunction): void {
  if (Number.parseInt(process.versions.node, 10) > 20) gc({ type: "major", flavor: "last-resort" });
  else {
    gc();
    setTimeout(() => gc(), LOOK).unref();
  }
}
