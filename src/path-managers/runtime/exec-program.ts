import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { isMainThread } from "node:worker_threads";
import type { Clock } from "../../base/clock.ts";
import { runningClock } from "../../base/deadlines.ts";
import { signalGroup } from "../../kernel/threads.ts";
import { LineSplitter } from "./line-splitter.ts";

/** Milliseconds between the request to end and the end, and between the end and the last line. */
const GRACE = 1000;
/** Bytes that a program may leave unread, and characters of a line. */
const MOST_UNREAD = 16 * 1024 * 1024;
const LONGEST_LINE = 1024 * 1024;
/**
 * Milliseconds between two looks at its standard error, so that one that writes without end takes little of our time.
 */
const COMPLAINT_PAUSE = 50;
/** Commands at a time whose answer is not known yet. */
const MOST_COMMANDS = 256;

export interface ProgramEvents {
  /** A line of its standard output; settles when what it asks for is done. */
  line(line: string): Promise<void>;
  /** A line of its standard error. */
  complaint(line: string): void;
  /** It has ended: "ended with status 1". Called once, after its last line. */
  end(how: string): void;
}

const running = new Set<Program>();

/** Resolves when all programs have ended: those that were asked to. */
export async function programsEnd(): Promise<void> {
  await Promise.all(Array.from(running, ({ ended }) => ended));
}

/** Those that end this process unless it handles them, and that a terminal sends to its own process group only. */
const terminalSignals = ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM"] as const;
let isWatchingTerminal = false;

/**
 * Programs have process groups of their own, so that a terminal's ^C does not reach them. mptcpd ends them when it
 * stops; for a process without handlers of its own, such as a simulation, this does.
 */
function watchTerminal(): void {
  if (isWatchingTerminal || !isMainThread) return;
  isWatchingTerminal = true;
  for (const name of terminalSignals) {
    if (process.listenerCount(name) > 0) continue;
    process.once(name, () => {
      for (const program of running) program.kill();
      if (process.listenerCount(name) === 0) process.kill(process.pid, name);
    });
  }
}

/** A running program. It does not outlive the thread that started it, and what it has started does not outlive it. */
export class Program {
  readonly ended: Promise<void>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #clock: Clock;
  #why: string | undefined;

  constructor(command: readonly [string, ...string[]], events: ProgramEvents, clock: Clock = runningClock) {
    this.#clock = clock;
    const [program, ...args] = bound(command);
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.#child = child;
    running.add(this);
    watchTerminal();
    this.ended = new Promise((resolve) => {
      child.once("exit", resolve).once("error", () => child.pid === undefined && resolve());
    });
    void this.ended.then(() => running.delete(this));
    const tooLong = (): void => this.#kill(`wrote a line of more than ${LONGEST_LINE} characters`);
    const commands = new CommandQueue(events, () => child.stdout.resume());
    const lines = new LineSplitter(LONGEST_LINE, (line) => commands.add(line), tooLong);
    const complaints = new LineSplitter(LONGEST_LINE, (line) => events.complaint(line), tooLong);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      child.stdout.pause();
      lines.push(text);
      commands.begin();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaints.push(text);
      child.stderr.pause();
      clock.schedule(COMPLAINT_PAUSE, () => child.stderr.resume());
    });
    // Whoever does not read any more is about to end.
    child.stdin.on("error", () => undefined);
    child.on("error", (error) => {
      this.#why = `could not be started: ${error.message}`;
      if (child.pid === undefined) events.end(this.#why);
    });
    child.on("exit", (status, signal) => {
      this.#signal("SIGKILL");
      const how = this.#why ?? (signal === null ? `ended with status ${status}` : `was ended by ${signal}`);
      let isOver = false;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        child.stdout.destroy();
        child.stderr.destroy();
        lines.end();
        commands.begin();
        complaints.end();
        events.end(how);
      };
      child.on("close", end);
      // A program that it has started, and that has left the group, may have its output open for as long as it likes.
      clock.schedule(GRACE, end);
    });
  }

  write(text: string): void {
    if (this.#child.stdin.writableLength > MOST_UNREAD) this.#kill("does not read what it is told");
    else if (this.#child.stdin.writable) this.#child.stdin.write(text);
  }

  /**
   * Asks it, and what it has started, to end: by closing its input and SIGTERM. Ends them when it has ended, or after a
   * while.
   */
  end(): void {
    this.#child.stdin.end();
    if (this.#isRunning) this.#signal("SIGTERM");
    const timer = this.#clock.schedule(GRACE, () => this.kill());
    void this.ended.then(() => timer.cancel());
  }

  /** Ends it at once, with what it has started. */
  kill(): void {
    if (this.#isRunning) this.#signal("SIGKILL");
  }

  #kill(why: string): void {
    this.#why ??= why;
    this.kill();
  }

  /** As Node has it: later, another process may have its pid. */
  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #signal(name: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) signalGroup(this.#child.pid, name);
  }
}

/** Commands, a few at a time: a program that asks without end does not keep others waiting, and itself has to wait. */
class CommandQueue {
  readonly #events: ProgramEvents;
  readonly #onEmpty: () => void;
  #waiting: string[] = [];
  #pending = 0;
  #isBeginning = false;

  constructor(events: ProgramEvents, onEmpty: () => void) {
    this.#events = events;
    this.#onEmpty = onEmpty;
  }

  add(line: string): void {
    this.#waiting.push(line);
  }

  begin(): void {
    const lines = this.#waiting.splice(0, MOST_COMMANDS - this.#pending);
    for (const line of lines) void this.#carryOut(line);
    if (this.#waiting.length === 0) this.#onEmpty();
  }

  async #carryOut(line: string): Promise<void> {
    this.#pending++;
    await this.#events.line(line);
    this.#pending--;
    if (this.#waiting.length === 0 || this.#isBeginning) return;
    this.#isBeginning = true;
    setImmediate(() => {
      this.#isBeginning = false;
      this.begin();
    });
  }
}

/** With a death signal, so that it goes also when the thread that started it is killed without a chance to end it. */
function bound(command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find(existsSync);
  return setpriv === undefined ? command : [setpriv, "--pdeathsig", "KILL", "--", ...command];
}
