/** What a thread of path managers fails with, and whose fault that is, as far as it can be told. */
import { describeError, stackOf } from "./describe-error.ts";
import type { FromThread, NamedPathManager } from "./messages.ts";
import { ThreadStartError } from "./open-thread.ts";
import type { PluginSource } from "./plugin-sources.ts";
import { Pulse, pulseEvents } from "./pulse.ts";

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
  readonly plugin: string | undefined;
  /** What it was loading. */
  readonly loading: PluginSource | undefined;
}

/** The configuration asks for plugins that cannot be loaded. */
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
  readonly plugins: readonly NamedPathManager[];
  readonly sources: readonly PluginSource[];
}

/** A failure, and whose code runs there at the moment, or ran last: "… by wifi-first (newSubflow)". */
export function failureAt(
  { pulse, plugins, sources }: Place,
  what: string,
  preposition: string,
): ThreadFailure {
  const plugin = plugins[Atomics.load(pulse, Pulse.plugin) - 1]?.name;
  const event = pulseEvents[Atomics.load(pulse, Pulse.event) - 1];
  const loading = sources[Atomics.load(pulse, Pulse.loading) - 1];
  const where =
    loading !== undefined
      ? `${loading.kind === "file" ? loading.path : loading.name} (loading)`
      : plugin && `${plugin} (${event})`;
  return {
    what: where === undefined ? what.replace(/,$/, "") : `${what} ${preposition} ${where}`,
    ...{ plugin, loading },
  };
}

/** How a thread failed that ended by itself; `error`: what it ended with, if anything. */
export function crashOf(place: Place, status: number, error: unknown): ThreadFailure {
  if (error instanceof ThreadStartError)
    return { what: error.message, plugin: undefined, loading: undefined };
  const why = error === undefined ? `status ${status}` : describeError(error);
  const failure = failureAt(place, `ended with ${why},`, "in");
  const guilty = place.plugins.find(({ file }) => file !== undefined && stackOf(error).includes(file));
  return { ...failure, plugin: failure.plugin ?? guilty?.name };
}
