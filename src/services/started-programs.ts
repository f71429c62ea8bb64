/** Which programs the ExecStart= lines of a unit start. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";
import { parseExecLine } from "./systemd/exec-line.ts";
import type { Properties } from "./systemd/shown.ts";
import { splitWords } from "./systemd/words.ts";

export type Command = {
  /** Absolute. */
  readonly path: string;
  /** As far as they are needed to tell what `env -i` and its like start: their quotes may be lost. */
  readonly args: readonly string[];
  /** By "+" or "!": it starts as root whatever User= says. "!!" does nothing since Linux 4.3 (systemd.service(5)). */
  readonly privileged: boolean;
};

/**
 * @param execStart the lines as the unit has them
 * @param replaced whether systemd shows others in their place, that a drop-in of ours has
 */
export function commandsOf(
  unit: string,
  execStart: readonly string[],
  properties: Properties,
  replaced: boolean,
): Command[] {
  const commands = replaced
    ? execStart.map((line) => writtenCommand(unit, line))
    : shownLines(properties).map(shownCommand);
  return commands.map((command) => ({ ...command, path: find(unit, command.path, properties) }));
}

/** ExecStartEx, with the prefixes as flags, came with systemd 243. */
function shownLines(properties: Properties): string[] {
  const lines = properties.lines("ExecStartEx");
  return lines.length > 0 ? lines : properties.lines("ExecStart");
}

/** systemctl shows paths with their specifiers expanded. */
function shownCommand(line: string): Command {
  const [, path = "", argv = ""] = /^\{ path=(.*?) ; argv\[\]=(.*?)(?: ; \w+=|$)/s.exec(line) ?? [];
  const flags = / ; flags=(.*?) ; start_time=/.exec(line)?.[1] ?? "";
  const privileged = flags.split(" ").some((flag) => privilegedFlags.has(flag));
  return { path, args: argv.split(" ").slice(1), privileged };
}

const privilegedFlags = new Set(["privileged", "no-setuid"]);

function writtenCommand(unit: string, line: string): Command {
  const { path, prefixes, rest } = parseExecLine(line);
  if (path.includes("%"))
    throw new Refusal(
      `${unit}: while it is enabled, systemd does not tell what ${path} stands for: disable it first`,
    );
  const args = splitWords(rest, "keep").map(({ text }) => text);
  return { path, args, privileged: /\+|(?<!!)!(?!!)/.test(prefixes) };
}

/** Relative paths are looked up in ExecSearchPath=, or in what was compiled into systemd (systemd.service(5)). */
function find(unit: string, path: string, properties: Properties): string {
  if (path.startsWith("/")) return path;
  const directories = (properties.text("ExecSearchPath") || defaultSearchPath).split(":");
  const found = directories.map((directory) => join(directory, path)).find(isExecutable);
  if (found === undefined)
    throw new Refusal(`${unit}: ExecStart=${path}: not found in ${directories.join(":")}`);
  return found;
}

export const defaultSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
