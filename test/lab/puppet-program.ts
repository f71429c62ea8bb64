import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type Something, waitFor, within } from "../../src/lab/kit/wait.ts";
import type { HandlerName } from "../../src/path-managers/api/index.ts";
import type { Machine } from "./machine.ts";
import { PluginDirectory } from "./plugin-directory.ts";
import { source } from "./programs.ts";

/** What `requires` must ask for. */
export const puppetNeeds = { files: ["/usr/bin/python3"] } as const;

/** A line that a program is told. */
export type Line = { readonly event?: HandlerName | "hello"; readonly [name: string]: unknown };

/** The answer to a command. */
export type Reply = {
  readonly reply: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
};

/** A program that is a path manager and passes on what a test has for it, and what it is told (programs/puppet.py). */
export class PuppetProgram {
  readonly config: string;
  readonly #commands: string;
  readonly #told: string;
  #requests = 0;

  static async create(machine: Machine): Promise<PuppetProgram> {
    const commands = machine.lab.freshPath("commands");
    await machine.host.run("mkfifo", commands);
    return new PuppetProgram(machine, commands);
  }

  private constructor({ lab }: Machine, commands: string) {
    this.#commands = commands;
    this.#told = lab.freshPath("told");
    const exec = `/usr/bin/python3 ${source("puppet.py")} ${commands} ${this.#told}`;
    this.config = new PluginDirectory(lab).config(
      "load-plugins=program\npath-manager=program",
      `[plugin program]\nexec=${exec}\ncolour=blue`,
    );
  }

  /** All that it was told so far. */
  get lines(): Line[] {
    if (!existsSync(this.#told)) return [];
    const whole = readFileSync(this.#told, "utf8").split("\n").slice(0, -1);
    return whole.map((line): Line => JSON.parse(line));
  }

  /** The first line that fits, of those that it was told or will be. */
  told(what: string, fits: (line: Line) => boolean): Promise<Something<Line | undefined>> {
    return waitFor(`a line of ${what}`, () => this.lines.find(fits));
  }

  /** Lets it give a command, and gives the answer. */
  async command(command: string, more: object = {}): Promise<Reply> {
    const request = ++this.#requests;
    await this.write(JSON.stringify({ request, command, ...more }));
    const { reply, result, error }: Line & Partial<Reply> = await this.told(
      `the answer to ${command}`,
      ({ reply }) => reply === request,
    );
    return { reply, ...(result !== undefined && { result }), ...(error !== undefined && { error }) };
  }

  /** Lets it write a line; it reads when it is there. */
  write(line: string): Promise<void> {
    return within("the program to read", writeFile(this.#commands, `${line}\n`));
  }
}
