/** Socket options as the running kernel takes them, on sockets that nobody else has. */
import { closeSync } from "node:fs";
import { addon, check } from "./netlink/addon.ts";

export const families = { ipv4: 2, ipv6: 10 } as const;
export const protocols = { tcp: 6, mptcp: 262 } as const;

/** Calls `use` with a fresh stream socket, which is closed then. Throws a SystemError if there can be none. */
export function withSocket<Result>(
  family: number,
  protocol: number,
  use: (socket: OptionSocket) => Result,
): Result {
  const fd = check("make socket", addon().optionSocket(family, protocol));
  try {
    return use(new OptionSocket(fd));
  } finally {
    closeSync(fd);
  }
}

export class OptionSocket {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @returns 0, or the errno */
  set(level: number, option: number, value: Uint8Array): number {
    return Math.abs(addon().setOption(this.#fd, level, option, value));
  }

  /** What getsockopt(2) gives for a buffer of so many bytes: the value, or the errno. */
  get(level: number, option: number, size = 64): Uint8Array | number {
    const room = new Uint8Array(size);
    const length = addon().getOption(this.#fd, level, option, room);
    return length < 0 ? -length : room.subarray(0, length);
  }
}
