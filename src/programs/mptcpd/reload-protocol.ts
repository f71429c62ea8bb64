/** What passes between `mptcpd --reload` and the running mptcpd, and over which socket. */

import { closeSync, constants, openSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";

/** What became of a reload. */
export interface Verdict {
  readonly isInForce: boolean;
  /** Warnings; or why it was refused. */
  readonly lines: readonly string[];
}

const schema = v.object({ isInForce: v.boolean(), lines: v.array(v.string()) });

/** A line that asks for a reload. */
export const RELOAD_REQUEST = "reload\n";

/** A verdict as it is sent: JSON in one line. */
export function encodeVerdict({ isInForce, lines }: Verdict): string {
  return `${JSON.stringify({ isInForce, lines })}\n`;
}

/** Undefined: that is none, or its end is missing. */
export function decodeVerdict(text: string): Verdict | undefined {
  if (!text.endsWith("\n")) return undefined;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes of sun_path in unix(7), the final NUL included. */
const LONGEST = 108;

/** A name for the socket of that path that is short enough for the kernel, as long as it is open. */
export interface SocketPath {
  readonly name: string;
  close(): void;
}

/** Throws the file system's error where the directory cannot be opened. */
export function openSocketPath(path: string): SocketPath {
  if (Buffer.byteLength(path) < LONGEST) return { name: path, close: () => undefined };
  const { O_DIRECTORY, O_RDONLY } = constants;
  const fd = openSync(dirname(path), O_DIRECTORY | O_RDONLY);
  return { name: join(`/proc/self/fd/${fd}`, basename(path)), close: () => closeSync(fd) };
}
