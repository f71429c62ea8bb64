import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { cut, oneLine } from "../text.ts";
import type { Entry, Level, Sink } from "./log.ts";

export interface StderrOptions {
  /** 2, unless a test says otherwise. */
  readonly fd?: number;
  /** By default: on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb. */
  readonly colors?: boolean;
}

/**
 * Lines `level: message`, written at once, so that the last words before a crash are seen. Nobody reads, the pipe
 * is closed or full, the disk is full: the line is dropped and the daemon goes on.
 */
export class StderrSink implements Sink {
  readonly #fd: number;
  readonly #reopened: number | undefined;
  readonly #colors: boolean;
  #dropped = 0;

  constructor({ fd = 2, colors = wantsColors(fd) }: StderrOptions = {}) {
    this.#reopened = reopenNonBlocking(fd);
    this.#fd = this.#reopened ?? fd;
    this.#colors = colors;
  }

  write({ level, message }: Entry): void {
    const lost = this.#dropped === 0 ? "" : this.#format("warning", `messages lost here: ${this.#dropped}`);
    try {
      // One write of less than PIPE_BUF (4096 bytes), which pipe(7) takes whole or not at all.
      writeSync(this.#fd, lost + this.#format(level, message));
      this.#dropped = 0;
    } catch {
      this.#dropped += 1;
    }
  }

  close(): void {
    if (this.#reopened !== undefined) closeSync(this.#reopened);
  }

  #format(level: Level, message: string): string {
    const color = this.#colors ? sgr[level] : undefined;
    const word = color === undefined ? `${level}:` : `\x1b[${color}m${level}:\x1b[0m`;
    return `${word} ${cut(oneLine(message), 1200)}\n`;
  }
}

const sgr: Readonly<Partial<Record<Level, string>>> = {
  error: "1;31",
  warning: "33",
  notice: "1",
  debug: "2",
};

function wantsColors(fd: number): boolean {
  const { NO_COLOR: off, TERM: terminal } = process.env;
  return isatty(fd) && (off === undefined || off === "") && terminal !== "dumb";
}

/**
 * A descriptor of our own for a pipe or terminal, so that a reader who stops reading does not stop us. O_NONBLOCK on
 * the given one would change it for every process that shares it. Undefined where that cannot be (a socket, or a
 * pipe of another user's); a write may block there.
 */
function reopenNonBlocking(fd: number): number | undefined {
  try {
    const status = fstatSync(fd);
    if (!status.isFIFO() && !isatty(fd)) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}
