import { copyFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf } from "../../src/base/errors.ts";
import { cut } from "../../src/base/text.ts";
import { defaultDeadlineMs, waitFor, within } from "../../src/lab/kit/wait.ts";
import type { Connection, Details, HandlerName, PathManager } from "../../src/path-managers/api/index.ts";
import type { Machine } from "./machine.ts";
import { PluginDirectory } from "./plugin-directory.ts";

/** A connection as an event tells it: of its subflows only how many they are. */
export type ToldConnection = Omit<Connection, "subflows" | "uses"> & { readonly subflows: number };

/** What a handler was told, in plain data. */
export type Told<Name extends HandlerName> = {
  readonly [Index in keyof Details<Name>]: Details<Name>[Index] extends Connection
    ? ToldConnection
    : Details<Name>[Index];
};

/** How a command ended that the kernel or the peer refused. */
export class PuppetError extends Error {
  override readonly name: string;
  readonly code: string | undefined;

  constructor({ message, name = "Error", code }: { message: string; name?: string; code?: string }) {
    super(message);
    this.name = name;
    this.code = code;
  }
}

/** A path manager that does what a test tells it, in the mptcpd of a machine (puppet-plugin.ts is its other half). */
export class Puppet {
  readonly #machine: Machine;
  readonly #socket: string;
  readonly directory: PluginDirectory;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#socket = machine.lab.freshPath("puppet");
    this.directory = new PluginDirectory(machine.lab);
    copyFileSync(join(import.meta.dirname, "puppet-plugin.js"), join(this.directory.path, "puppet.js"));
  }

  /** A configuration in which it is the only plugin. */
  get config(): string {
    return this.directory.config(
      "load-plugins=puppet\npath-manager=puppet",
      `[plugin puppet]\nsocket=${this.#socket}`,
    );
  }

  /** The same for so many events that the log could not take them all. */
  get quietConfig(): string {
    return `${this.config}tell=no\n`;
  }

  /**
   * Runs a function in the plugin, and gives what it returns as JSON has it. The function goes there as text: it sees
   * its parameters and nothing else.
   */
  run<Result, Argument = undefined>(
    action: (pm: PathManager, argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result> {
    return this.#ask({ code: action.toString(), argument });
  }

  /** The same with a connection. */
  with<Result, Argument = undefined>(
    token: number,
    action: (pm: PathManager, connection: Connection, argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result> {
    return this.#ask({ code: action.toString(), token, argument });
  }

  async #ask<Result>(request: object): Promise<Result> {
    const socket = createConnection(this.#socket);
    try {
      const line = nextLine(socket);
      socket.write(`${JSON.stringify(request)}\n`);
      const answer: Answer<Result> = JSON.parse(await within("the puppet to answer", line, DEADLINE));
      if (answer.error !== undefined) throw new PuppetError(answer.error);
      return answer.result;
    } finally {
      socket.destroy();
    }
  }

  /** The first event of a name that fits, of those that this run of mptcpd has told or will tell. */
  async told<Name extends HandlerName>(
    name: Name,
    fits: (details: Told<Name>) => boolean = () => true,
    options: { deadlineMs?: number; from?: number } = {},
  ): Promise<Told<Name>> {
    const { daemon } = this.#machine;
    const { from = 0, ...waiting } = options;
    const find = (): Told<Name> | undefined =>
      daemon.lines
        .slice(from)
        .map(decode<Name>)
        .find((told) => told?.event === name && fits(told.details))?.details;
    try {
      return await waitFor(`the event ${name}`, find, waiting);
    } catch (error) {
      const last = daemon.lines.slice(-20).map((line) => cut(line, 400));
      throw new Error(`${messageOf(error)}\nthe last that mptcpd wrote:\n${last.join("\n")}`);
    }
  }

  /** The names of the events of a connection so far, in order; without a token those of all connections. */
  history(token?: number): HandlerName[] {
    return this.#machine.daemon.lines.flatMap((line) => {
      const told = decode<"newConnection">(line);
      if (told === undefined || !("token" in (told.details[0] ?? {}))) return [];
      return token === undefined || told.details[0].token === token ? [told.event] : [];
    });
  }
}

async function nextLine(socket: Socket): Promise<string> {
  return await new Promise((resolve, reject) => {
    createInterface({ input: socket }).once("line", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the puppet went away")));
  });
}

type Answer<Result> = {
  readonly result: Result;
  readonly error?: { readonly message: string; readonly name?: string; readonly code?: string };
};

/** Longer than any deadline of what a puppet is asked for. */
const DEADLINE = 2 * defaultDeadlineMs;

const pattern = /^notice: puppet: told (\{.*\})$/;

function decode<Name extends HandlerName>(
  line: string,
): { readonly event: Name; readonly details: Told<Name> } | undefined {
  const text = pattern.exec(line)?.[1];
  return text === undefined ? undefined : JSON.parse(text);
}
