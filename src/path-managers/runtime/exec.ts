import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";
import {
  type Details,
  definePathManager,
  type HandlerName,
  type PathManager,
  type PathManagerDefinition,
} from "./api.ts";
import { carryOut } from "./exec-commands.ts";
import { Program } from "./exec-program.ts";
import { handlersOf, historyOf, type Listener, tellConnection, tellNetwork } from "./handler-calls.ts";
import { detailsJson, networkJson } from "./json.ts";
import { compareNetworks, emptyView } from "./network-view.ts";
import { levelOf } from "./refusals.ts";
import { requireStartable } from "./trusted.ts";

/** Milliseconds before the first restart, and the longest wait; who has run for so long begins anew. */
const FIRST_RESTART = 100;
const LONGEST_RESTART = 30_000;
const PROGRAM_PROVEN = 60_000;

/**
 * A program of any language as a path manager: events and commands are JSON, a line each, on its standard input and
 * output (docs/path-managers.md). What it writes to standard error is logged. One that ends is started again, and told
 * anew what there is.
 */
export function execPathManager(
  name: string,
  command: readonly [string, ...string[]],
): PathManagerDefinition {
  const [program] = command;
  requireStartable(program);
  return definePathManager({
    name,
    description: `the program ${program}`,
    options: v.record(v.string(), v.string()),
    setup(pm) {
      const keeper = new ProgramKeeper(pm, command);
      keeper.start();
      return handlersOf(keeper);
    },
  });
}

class ProgramKeeper implements Listener {
  readonly #pm: PathManager;
  readonly #command: readonly [string, ...string[]];
  #program: Program | undefined;
  #wait = FIRST_RESTART;

  constructor(pm: PathManager, command: readonly [string, ...string[]]) {
    this.#pm = pm;
    this.#command = command;
    pm.signal.addEventListener("abort", () => this.#program?.end());
  }

  start(): void {
    const { log, name, options } = this.#pm;
    const begun = this.#pm.now();
    const [path] = this.#command;
    try {
      // Each time: it may be another file by now.
      requireStartable(path);
    } catch (error) {
      this.#startAgain(`${path} is not started: ${messageOf(error)}; the next try is`);
      return;
    }
    const program = new Program(this.#command, {
      line: (line) => this.#obey(program, line),
      complaint: (line) => log.info(oneLine(line)),
      end: (how) => {
        this.#program = undefined;
        if (this.#pm.now() - begun > PROGRAM_PROVEN) this.#wait = FIRST_RESTART;
        this.#startAgain(`${path} ${how}; it is started again`);
      },
    });
    this.#program = program;
    this.#send({ event: "hello", protocol: 1, name, options, network: networkJson(this.#pm.network) });
  }

  tell<Name extends HandlerName>(event: Name, ...details: Details<Name>): void {
    this.#send({ event, ...detailsJson(event, details) });
  }

  #startAgain(why: string): void {
    if (this.#pm.signal.aborted) return;
    this.#pm.log.error(`${why} in ${this.#wait} ms`);
    this.#pm.after(this.#wait, () => this.#restart());
    this.#wait = Math.min(2 * this.#wait, LONGEST_RESTART);
  }

  #restart(): void {
    this.start();
    if (this.#program === undefined) return;
    for (const change of compareNetworks(emptyView, this.#pm.network)) tellNetwork(this, change);
    for (const connection of this.#pm.connections)
      for (const change of historyOf(connection)) tellConnection(this, change);
  }

  #send(message: object): void {
    this.#program?.write(`${JSON.stringify(message)}\n`);
  }

  /** Carries out a command; the answer goes to the program that asked, if it still runs. */
  async #obey(program: Program, line: string): Promise<void> {
    let reply: unknown = null;
    let answer: object;
    try {
      const command: unknown = JSON.parse(line);
      reply = requestOf(command);
      answer = { result: (await carryOut(this.#pm, command)) ?? null };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "EINVAL";
      answer = { error: { code, message: messageOf(error) } };
      // Nobody may be waiting for an answer.
      if (reply === null)
        this.#pm.log[levelOf(error, "warning")](`${oneLine(line.slice(0, 200))}: ${messageOf(error)}`);
    }
    program.write(`${JSON.stringify({ reply, ...answer })}\n`);
  }
}

/** By what a program knows the answer again. */
function requestOf(command: unknown): unknown {
  return typeof command === "object" && command !== null && "request" in command ? command.request : null;
}
