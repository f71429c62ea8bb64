import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { CommandError } from "./lab-process.ts";

type Call = {
  readonly commandLine: string;
  readonly resolve: (output: string) => void;
  readonly reject: (error: Error) => void;
};

/** Ends each part of what the shell writes: a command's output, its exit code, its messages. */
const end = "\0";

/**
 * One shell that runs short commands, such as `ip`, one after another. When Node starts a process itself, the fork
 * copies what describes Node's own memory, which takes several times as long as the command. A shell is small.
 */
class Shell {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #calls: Call[] = [];
  #output = "";
  #messages = "";

  constructor() {
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", "sh"], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
      this.#settle();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#messages += text;
      this.#settle();
    });
    // The end of the process says more than EPIPE does.
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.on("close", (code) => this.#fail(new Error(`the lab's shell ended with ${code}`)));
    this.#keepNodeRunning(false);
  }

  run(command: string, args: readonly string[], input: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#calls.push({ commandLine: [command, ...args].join(" "), resolve, reject });
      this.#keepNodeRunning(true);
      const line = [command, ...args].map(quoted).join(" ");
      const from = input === "" ? "</dev/null" : `<<'${endOfInput}'\n${input}${endOfInput}`;
      this.#child.stdin.write(`${line} ${from}\nprintf '\\0%d\\0' $?\nprintf '\\0' >&2\n`);
    });
  }

  #settle(): void {
    const [output, code, next] = this.#output.split(end, 3);
    const [messages, following] = this.#messages.split(end, 2);
    if (next === undefined || following === undefined) return;
    this.#output = this.#output.slice(`${output}${end}${code}${end}`.length);
    this.#messages = this.#messages.slice(`${messages}${end}`.length);
    const call = this.#calls.shift();
    if (this.#calls.length === 0) this.#keepNodeRunning(false);
    if (code === "0") call?.resolve(output ?? "");
    else call?.reject(new CommandError(call.commandLine, Number(code), output ?? "", messages ?? ""));
    this.#settle();
  }

  #fail(error: Error): void {
    for (const call of this.#calls.splice(0)) call.reject(error);
  }

  /** A test file ends when nothing of it is left to do; this shell must not hold it up. */
  #keepNodeRunning(isWanted: boolean): void {
    const handles = [this.#child.stdin, this.#child.stdout, this.#child.stderr].filter(
      (stream) => stream instanceof Socket,
    );
    for (const handle of [this.#child, ...handles]) isWanted ? handle.ref() : handle.unref();
  }
}

/** The commands' input is text for `ip -batch`, which has no line like this one. */
const endOfInput = "end of the input of a command in the lab";

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

let shell: Shell | undefined;

/**
 * As `run`, for commands that end at once: they wait for each other. Input has to end with a line feed.
 * @throws CommandError if the exit code is not 0
 */
export function runShortly(command: string, args: readonly string[], input = ""): Promise<string> {
  shell ??= new Shell();
  return shell.run(command, args, input);
}
