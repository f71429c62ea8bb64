/** What a thread of path managers fails with, and whose fault that is, as far as it can be told. */

import type { Logger } from "../../base/log/log.ts";
import { describeError, stackOf } from "./describe-error.ts";
import type { FromThread, NamedPathManager, Prepared } from "./messages.ts";
import { ThreadStartError } from "./open-thread.ts";
import type { PluginSource } from "./plugin-config.ts";
import { Pulse, pulseEvents } from "./pulse.ts";
import type { ThreadInput } from "./thread-input.ts";

export interface PathManagerThreadEvents {
  /** A message other than those that the methods here wait for. */
  message(message: FromThread): void;
  /** It ended by itself, or was ended as it did not answer any more. */
  failed(failure: ThreadFailure): void;
}

export interface ThreadFailure {
  /** Completes "the path managers' thread …": "was blocked for 2 s by wifi-first (newSubflow)". */
  readonly what: string;
  /** Whose fault it was, as far as that can be told. */
  readonly pathManager: string | undefined;
  /** What it was loading. */
  readonly loading: PluginSource | undefined;
}

/** The configuration asks for path managers that cannot be loaded. */
export class PathManagersRefusedError extends Error {
  override readonly name = "PathManagersRefusedError";
  readonly code = "EPLUGINS";
  readonly lines: readonly string[];
  /** How the thread failed that should have loaded them; undefined: it said what is wrong. */
  readonly failure: ThreadFailure | undefined;

  constructor(lines: readonly string[], failure?: ThreadFailure) {
    super(lines.join("\n"));
    this.lines = lines;
    this.failure = failure;
  }
}

/** Where a thread is, as its pulse shows. */
export interface Place {
  /** Int32Array of `Pulse`. */
  readonly pulse: Int32Array;
  readonly pathManagers: readonly NamedPathManager[];
  readonly sources: readonly PluginSource[];
}

/** A failure, and whose code runs there at the moment, or ran last: "… by wifi-first (newSubflow)". */
export function failureAt(
  { pulse, pathManagers, sources }: Place,
  what: string,
  preposition: string,
): ThreadFailure {
  const pathManager = pathManagers[Atomics.load(pulse, Pulse.pathManager) - 1]?.name;
  const event = pulseEvents[Atomics.load(pulse, Pulse.event) - 1];
  const loading = sources[Atomics.load(pulse, Pulse.loading) - 1];
  const where =
    loading !== undefined
      ? `${loading.kind === "file" ? loading.path : loading.name} (loading)`
      : pathManager && `${pathManager} (${event})`;
  return {
    what: where === undefined ? what.replace(/,$/, "") : `${what} ${preposition} ${where}`,
    ...{ pathManager, loading },
  };
}

/** How a thread failed that ended by itself; `error`: what it ended with, if anything. */
export function crashOf(place: Place, status: number, error: unknown): ThreadFailure {
  if (error instanceof ThreadStartError)
    return { what: error.message, pathManager: undefined, loading: undefined };
  const why = error === undefined ? `status ${status}` : describeError(error);
  const failure = failureAt(place, `ended with ${why},`, "in");
  const guilty = place.pathManagers.find(({ file }) => file !== undefined && stackOf(error).includes(file));
  return { ...failure, pathManager: failure.pathManager ?? guilty?.name };
}

export interface Started<Input, Thread> {
  readonly thread: Thread;
  readonly prepared: Prepared;
  /** What it was started with in the end. */
  readonly input: Input;
}

/**
 * Starts a thread of path managers, and waits until all is loaded. A file that the thread does not survive is left out
 * the next time, with a warning, unless it was named; where nobody knows which file that is, all that were not named
 * are.
 *
 * @throws PathManagersRefusedError
 */
export async function startThread<
  Input extends Pick<ThreadInput, "sources">,
  Thread extends { prepare(): Promise<Prepared> },
>(wanted: Input, start: (input: Input) => Thread): Promise<Started<Input, Thread>> {
  const warnings: string[] = [];
  for (let input = wanted; ; ) {
    const thread = start(input);
    try {
      const prepared = await thread.prepare();
      return { thread, input, prepared: { ...prepared, warnings: [...warnings, ...prepared.warnings] } };
    } catch (error) {
      if (!(error instanceof PathManagersRefusedError)) throw error;
      const suspects = suspectsOf(error, input.sources);
      if (suspects.length === 0)
        throw new PathManagersRefusedError([...warnings, ...error.lines], error.failure);
      for (const { name } of suspects)
        warnings.push(`plugin ${name}: ${error.lines.join("; ")}; it is not loaded`);
      input = { ...input, sources: input.sources.filter((source) => !suspects.includes(source)) };
    }
  }
}

function suspectsOf({ failure }: PathManagersRefusedError, sources: readonly PluginSource[]): PluginSource[] {
  // Whose code ran by then is known: the files themselves were loaded.
  if (failure === undefined || failure.pathManager !== undefined) return [];
  const possible = failure.loading === undefined ? sources : [failure.loading];
  return possible.filter((source) => source.kind === "file" && !source.required);
}

/** Milliseconds before the second of two replacements in a row, and the longest wait. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/** Milliseconds to wait with a replacement after so many in a row: 0, 1000, 2000, 4000 … and never more than 30 s. */
export function pauseAfter(replacements: number): number {
  return replacements === 0 ? 0 : Math.min(FIRST_WAIT * 2 ** (replacements - 1), LONGEST_WAIT);
}

/** Faults of path managers by their names, over the lives of threads. */
export class FaultCounts {
  readonly #most: () => number;
  readonly #log: Logger;
  #counts = new Map<string, number>();

  /** @param most so many faults are too many */
  constructor(most: () => number, log: Logger) {
    this.#most = most;
    this.#log = log;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  isTooMany(name: string): boolean {
    return (this.#counts.get(name) ?? 0) >= this.#most();
  }

  /** As the thread itself has counted. */
  set(name: string, count: number): void {
    this.#counts.set(name, count);
  }

  /** Counts one more, and logs it. */
  add(name: string, why: string): void {
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    const stopped = this.isTooMany(name) ? "; it is stopped" : "";
    this.#log.error(`${name}: fault ${count} of ${this.#most()}${why}${stopped}`);
  }

  /** Begins anew. @returns brings back what was counted before */
  clear(): () => void {
    const before = this.#counts;
    this.#counts = new Map();
    return () => {
      this.#counts = before;
    };
  }
}
