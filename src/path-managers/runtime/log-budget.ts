import type { Writable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { Entry, Level, Logger } from "../../base/log/log.ts";
import { cut } from "../../base/text.ts";
import { LineSplitter } from "./line-splitter.ts";

/** Lines of one path manager and level within a window of so many milliseconds; what is more is left out. */
export const MOST_LINES = 2000;
export const WINDOW = 10_000;
/** UTF-16 units: no destination shows more of a line (src/base/log). */
const LONGEST_LINE = 16_384;

/**
 * A logger of the path managers' thread. What is too much stays in the thread: on its way to the daemon's it would grow
 * into a queue that holds up whatever else the daemon has to do. A path manager does not use up the lines of another,
 * nor its chatter those of its errors.
 */
export function budgeted(write: (entry: Entry) => void, clock: Clock, { debug }: { debug: boolean }): Logger {
  const windows = new Map<string, { lines: number }>();
  /** Whether a line may go out. Begins a window, and says at its end what was left out. */
  const admits = (name: string, level: Level): boolean => {
    const key = `${name} ${level}`;
    const window = windows.get(key) ?? { lines: 0 };
    if (window.lines++ > 0) return window.lines <= MOST_LINES;
    windows.set(key, window);
    clock.schedule(WINDOW, () => {
      windows.delete(key);
      const left = window.lines - MOST_LINES;
      if (left <= 0) return;
      const whose = name === "" ? "path managers" : name;
      const message = `${whose}: ${left} lines (${level}) are left out: of more than ${MOST_LINES} in ${WINDOW / 1000} s`;
      write({ level: "warning", message, fields: name === "" ? {} : { PLUGIN: name } });
    });
    return true;
  };
  const at =
    (level: Level): Logger[Level] =>
    (message, fields = {}) => {
      const { PLUGIN: owner = "" } = fields;
      if (!admits(String(owner), level)) return;
      const short = Object.entries(fields).map(([name, value]) => [
        name,
        // JavaScript may give anything, and the daemon takes texts and numbers only.
        typeof value === "number" && !Number.isNaN(value) ? value : cut(String(value), LONGEST_LINE),
      ]);
      write({ level, message: cut(message, LONGEST_LINE), fields: Object.fromEntries(short) });
    };
  return {
    debug: debug ? at("debug") : () => undefined,
    info: at("info"),
    notice: at("notice"),
    warning: at("warning"),
    error: at("error"),
  };
}

/**
 * Makes a stream write its lines to a log, at once, so that nothing waits in the stream itself. The stream stays: Node
 * keeps state of its own in those of a thread (lib/internal/worker/io.js), and Node 24 fails without it.
 */
export function redirectToLog(stream: Writable, log: Logger): void {
  let lines = begin();
  const write: WriteLike = (chunk, encodingOrDone, done) => {
    lines.push(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
    const callback = typeof encodingOrDone === "function" ? encodingOrDone : done;
    if (callback) process.nextTick(callback, null);
    return true;
  };
  Object.defineProperty(stream, "write", { value: write, configurable: true, writable: true });

  function begin(): LineSplitter {
    return new LineSplitter(
      LONGEST_LINE,
      (line) => log.info(`a plugin wrote: ${line}`),
      () => {
        log.warning(`a plugin wrote a line of more than ${LONGEST_LINE} characters, which is left out`);
        lines = begin();
      },
    );
  }
}

type Done = (error: Error | null) => void;
/** The two overloads of stream.Writable.write. */
type WriteLike = (chunk: string | Uint8Array, encodingOrDone?: BufferEncoding | Done, done?: Done) => boolean;
