import { inspect } from "node:util";
import { oneLine } from "../../base/text.ts";

/** At the end of the URL that a path manager's file is imported by: so its frames are known in a stack. */
export const PATH_MANAGER_MARK = "?path-manager";

/**
 * An error and where in a path manager's code it came from, or else where at all: for its author. Anything can be
 * thrown.
 */
export function describeError(error: unknown): string {
  return guarded(() => describe(error), "an error that cannot be read");
}

/** The stack of an error, as far as there is one that can be read. */
export function stackOf(error: unknown): string {
  return guarded(() => (error instanceof Error ? String(error.stack) : ""), "");
}

/**
 * What a look at something gives that a path manager has thrown: a getter, or a proxy, of its making may throw once
 * more.
 */
export function guarded<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(inspect(error, { depth: 1 }));
  const frames = Array.from(stackOf(error).matchAll(/^ +at (.*)$/gm), ([, frame = ""]) => frame);
  const frame = frames.find((frame) => frame.includes(PATH_MANAGER_MARK)) ?? frames[0];
  const place = frame?.replace("file://", "").replace(PATH_MANAGER_MARK, "");
  return `${error.name}: ${error.message}${place === undefined ? "" : ` (at ${place})`}`;
}
