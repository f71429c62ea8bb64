import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import { defaultDeadlineMs, within } from "./wait.ts";

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type SpawnOptions = {
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
};

export class CommandError extends Error {
  readonly code: number | string | undefined;
  readonly stderr: string;

  constructor(commandLine: string, code: number | string | undefined, stdout: string, stderr: string) {
    const output = [stderr, stdout].map((text) => text.trim()).filter((text) => text !== "");
    super([`${commandLine}: exit ${code}`, ...output].join("\n"));
    this.name = "CommandError";
    this.code = code;
    this.stderr = stderr;
  }
}

const maxOutputBytes = 64 << 20;

/** Runs a command to its end and gives its output; any exit code but 0 is a CommandError with what it wrote. */
export function run(command: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { maxBuffer: maxOutputBytes }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else reject(new CommandError([command, ...args].join(" "), error.code ?? error.signal, stdout, stderr));
    });
    // A command that fails early closes its input; its exit code says so better than EPIPE would.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** A long-running command and the lines it writes. It is killed when this process ends, however it ends. */
export class LabProcess {
  readonly pid: number;
  readonly commandLine: string;
  /** What it wrote so far to stdout and to stderr, in order of arrival. */
  readonly lines: string[] = [];
  readonly stdin: Writable;
  /** Settles when it has ended and its last line was read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #listeners = new Set<() => void>();
  #exit: Exit | undefined;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    const argv = ["--pdeathsig", "KILL", command, ...args];
    this.commandLine = [command, ...args].join(" ");
    this.#child = spawn("setpriv", argv, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.pid = this.#child.pid ?? 0;
    this.stdin = this.#child.stdin;
    this.stdin.on("error", () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.#changed();
      });
    }
    this.exited = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
        this.#changed();
      });
    });
    this.exited.catch(() => {});
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  get output(): string {
    return this.lines.join("\n");
  }

  /**
   * The first line that matches, among those written already (from index `from` on) or yet to come. Fails at the
   * deadline, or as soon as the process has ended without such a line.
   */
  async waitForLine(
    pattern: RegExp,
    { deadlineMs = defaultDeadlineMs, from = 0 }: { deadlineMs?: number; from?: number } = {},
  ): Promise<RegExpMatchArray> {
    let next = from;
    const found = new Promise<RegExpMatchArray>((resolve, reject) => {
      const look = () => {
        while (next < this.lines.length) {
          const match = this.lines[next++]?.match(pattern);
          if (match) {
            this.#listeners.delete(look);
            return resolve(match);
          }
        }
        if (this.#exit) reject(new Error(`${this.commandLine} ended without a line like ${pattern}`));
      };
      this.#listeners.add(look);
      look();
    });
    try {
      return await within(`a line like ${pattern}`, found, deadlineMs);
    } catch (cause) {
      const reason = messageOf(cause);
      throw new Error(`${reason}; ${this.commandLine} wrote:\n${this.output}`);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it by SIGTERM, or by SIGKILL if that takes longer than the deadline; gives how it ended. */
  async stop(deadlineMs = defaultDeadlineMs): Promise<Exit> {
    this.signal("SIGTERM");
    // A stopped process gets no SIGTERM until it runs on.
    this.signal("SIGCONT");
    try {
      return await within("SIGTERM to be obeyed", this.exited, deadlineMs);
    } catch {
      return this.kill();
    }
  }

  kill(): Promise<Exit> {
    this.signal("SIGKILL");
    return this.exited;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
