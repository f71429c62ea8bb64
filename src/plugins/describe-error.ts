import { inspect } from "node:util";
import { oneLine } from "../log/text.ts";
import { PLUGIN_MARK } from "./mark.ts";

/** An error and where in a plugin it came from, or else where at all: for who wrote the plugin. Anything can be thrown. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(inspect(error, { depth: 1 }));
  const frames = Array.from(String(error.stack).matchAll(/^ +at (.*)$/gm), ([, frame = ""]) => frame);
  const frame = frames.find((frame) => frame.includes(PLUGIN_MARK)) ?? frames[0];
  const place = frame?.replace("file://", "").replace(PLUGIN_MARK, "");
  return `${error.name}: ${error.message}${place === undefined ? "" : ` (at ${place})`}`;
}
