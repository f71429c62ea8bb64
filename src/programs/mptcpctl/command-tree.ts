/** How commands are put together, abbreviated, and described: as ip(8) has it, on commander. */
import type { Command } from "commander";
import { suggestionFor } from "../../base/command-line/command-error.ts";
import { didYouMean } from "../../base/text.ts";
import { UsageError } from "./exit.ts";
import { explanations } from "./help-texts.ts";

/** A command that has commands under it, and may do something without any. */
export function group(
  parent: Command,
  name: string,
  description: string,
  byDefault?: () => Promise<void>,
): Command {
  const command = leaf(parent, name, byDefault === undefined ? "COMMAND" : "[COMMAND]", description);
  return command.action((words: string[]) => {
    if (words.length > 0 || byDefault === undefined) throw unknownCommand(command, words[0]);
    return byDefault();
  });
}

export function leaf(parent: Command, name: string, usage: string, description: string): Command {
  return hinting(
    parent
      .command(name)
      .aliases(abbreviations(name, parent))
      // An empty one would stand for commander's own.
      .usage(usage || " ")
      .description(description)
      .argument("[words...]")
      .configureHelp({ ...help, showGlobalOptions: true }),
  );
}

/** What commander does not understand, with the help of the command that it was given to. */
export function hinting(command: Command): Command {
  return command.exitOverride((error) => {
    if (error.exitCode === 0 || error.code === "commander.help") throw error;
    const problem = error.message.replace(/^error: /, "") + suggestionFor(error, command);
    throw new UsageError(`${problem}; \`${pathOf(command)} --help\` shows what is allowed`);
  });
}

/** What the words of a command mean, where they do not say it themselves. */
export function explained(command: Command): Command {
  const text = explanations[pathOf(command)];
  return text === undefined ? command : command.addHelpText("after", `\n${text}`);
}

/** Puts a group's grammar under its help, as `ip mptcp help` has it. */
export function listUsages(command: Command): void {
  const lines = command.commands.map((below) => `  ${help.commandUsage(below)}`);
  command.addHelpText("after", `\n${lines.join("\n")}`);
}

/** "mptcpctl endpoint add" */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Every prefix that no command before it has, as ip(8) takes them: the first that fits is meant. */
function abbreviations(name: string, parent: Command): string[] {
  const taken = new Set(parent.commands.flatMap((other) => [other.name(), ...other.aliases()]));
  const prefixes = Array.from(name, (_, index) => name.slice(0, index)).slice(1);
  return prefixes.filter((prefix) => !taken.has(prefix));
}

export function unknownCommand(parent: Command, word: string | undefined): UsageError {
  const names = parent.commands.map((command) => command.name());
  const path = parent.parent === null ? "" : `${parent.name()}: `;
  const problem =
    word === undefined ? "a command is missing" : `"${word}" is not understood${didYouMean(word, names)}`;
  return new UsageError(`${path}${problem}; allowed: ${names.join(", ")}`);
}

/** Usages say it all: no aliases, no `[options] [words...]`. */
export const help = {
  subcommandTerm: (command: Command) => command.name(),
  commandUsage: (command: Command) => `${pathOf(command)} ${command.usage()}`.trim(),
  visibleArguments: () => [],
};
