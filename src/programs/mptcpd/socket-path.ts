import { closeSync, constants, openSync } from "node:fs";
import { basename, dirname, join } from "node:path";

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
