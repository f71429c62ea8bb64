import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import { messageOf } from "../../base/errors.ts";
import type { Level } from "../../base/log/log.ts";
import { LineSplitter } from "./line-splitter.ts";
import type { PostedByThread, ToThread } from "./messages.ts";
import type { ThreadInput } from "./thread-input.ts";

/** A thread of path managers, as far as its messages go. */
export interface Thread {
  post(message: ToThread): void;
  /** Resolves when it has ended. One in a system call does not. */
  terminate(): Promise<unknown>;
}

export interface ThreadEvents {
  /** Whatever was posted in the thread: users' code could do that as well. */
  message(message: unknown): void;
  /** What it ends with, before its end. */
  error(error: unknown): void;
  exit(status: number): void;
}

export type OpenThread = (input: ThreadInput, events: ThreadEvents) => Thread;

/** MiB of objects that outlive a collection: a path manager that leaks must not take the daemon with it. */
const LARGEST_HEAP = 1024;
/** Characters. */
const LONGEST_LINE = 64 * 1024;

/** The system has no thread to spare. The message completes "the path managers' thread …". */
export class ThreadStartError extends Error {
  override readonly name = "ThreadStartError";
  readonly code = "ETHREAD";

  constructor(cause: unknown) {
    super(`cannot start: ${messageOf(cause)}; raise TasksMax= or the memory limits of the unit`, { cause });
  }
}

/** Starts a thread. Where the system has none to spare, it "ends" with ThreadStartError at once. */
export const openThread: OpenThread = (workerData, events) => {
  try {
    const worker = new Worker(threadFile(), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: LARGEST_HEAP },
      // Our own might be a pipe that is full, or has no reader any more.
      stdout: true,
      stderr: true,
    });
    for (const stream of [worker.stdout, worker.stderr]) logLines(stream, events);
    worker.on("message", (message) => events.message(message));
    // What cannot be cloned back is no message of ours either.
    worker.on("messageerror", (error) => events.message(error));
    worker.on("error", (error) => events.error(error));
    worker.on("exit", (status) => events.exit(status));
    return { post: (message) => worker.postMessage(message), terminate: () => worker.terminate() };
  } catch (error) {
    setImmediate(() => {
      events.error(new ThreadStartError(error));
      events.exit(1);
    });
    return { post: () => undefined, terminate: async () => undefined };
  }
};

/** Beside this file (bundled programs), or where the tests' build has it. */
function threadFile(): string {
  const bundled = join(import.meta.dirname, "plugin-thread.js");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "../../programs/mptcpd/plugin-thread.js");
}

/** What Node itself prints; path managers' own words come as messages. */
function logLines(stream: Readable, events: ThreadEvents): void {
  const log = (level: Level, message: string): void => {
    const entry: PostedByThread = { kind: "log", level, message, fields: {} };
    events.message(entry);
  };
  const lines = new LineSplitter(
    LONGEST_LINE,
    (line) => log("info", `a plugin wrote: ${line}`),
    () => log("warning", `a plugin wrote a line of more than ${LONGEST_LINE} characters; no more is shown`),
  );
  stream.setEncoding("utf8").on("data", (text: string) => lines.push(text));
}
