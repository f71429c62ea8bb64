/**
 * Builds commands on commander, and abbreviates and describes them as ip(8) does. Then come the options of single
 * commands, and the texts of the help.
 */
import type { Command } from "commander";
import { suggestionFor } from "../../base/command-line/command-error.ts";
import { didYouMean } from "../../base/text.ts";
import { defaultConfigFile } from "../../control/config/config.ts";
import { UsageError } from "./io/output.ts";

/** A command with subcommands. Without a subcommand it runs `byDefault`, if given. */
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
      // For an empty usage, commander would print its own.
      .usage(usage || " ")
      .description(description)
      .argument("[words...]")
      .configureHelp({ ...help, showGlobalOptions: true }),
  );
}

/** Turns commander's errors into UsageErrors that point to the help of this command. */
export function hinting(command: Command): Command {
  return command.exitOverride((error) => {
    if (error.exitCode === 0 || error.code === "commander.help") throw error;
    const problem = error.message.replace(/^error: /, "") + suggestionFor(error, command);
    throw new UsageError(`${problem}; \`${pathOf(command)} --help\` shows what is allowed`);
  });
}

/** Adds an explanation of the words to the help of those commands that need one. */
export function explained(command: Command): Command {
  const text = explanations[pathOf(command)];
  return text === undefined ? command : command.addHelpText("after", `\n${text}`);
}

/** Prints the grammar of a group's commands under its help, as `ip mptcp help` does. */
export function listUsages(command: Command): void {
  const lines = command.commands.map((below) => `  ${help.commandUsage(below)}`);
  command.addHelpText("after", `\n${lines.join("\n")}`);
}

/** "mptcpctl endpoint add" */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Every prefix that no earlier command has taken: in ip(8), too, a prefix means the first command that it fits. */
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

/** The usage is complete: leave out aliases and commander's `[options] [words...]`. */
export const help = {
  subcommandTerm: (command: Command) => command.name(),
  commandUsage: (command: Command) => `${pathOf(command)} ${command.usage()}`.trim(),
  visibleArguments: () => [],
};

/** Options of `subflow create`. */
export function createOptions(command: Command): Command {
  return command
    .option("--deadline <seconds>", "how long the peer may take to answer; 10 if not given")
    .option("--no-wait", "do not wait for the peer");
}

export function replayOptions(command: Command): Command {
  return command
    .option("--plugin <name|path>", "a path manager that is built in, or a module's file")
    .option("--option <key=value>", "an option of the path manager; may be given several times", collect)
    .option("--speed <n>", "n times as fast as it was; as fast as it goes if not given")
    .option("--config <file>", "mptcpd's configuration, for its [core] and [path] sections")
    .option("--debug", "print what the path manager logs for debugging, too");
}

export function reportOptions(command: Command): Command {
  return command
    .option("-o, --output <file>", "where to; - is standard output; mptcpd-report-HOST-DATE.txt if not given")
    .option("-f, --force", "replace the file if it is there")
    .option("--addresses <how>", "mask, mask-all or keep; mask if not given")
    .option("--log-lines <n>", "how many lines of mptcpd's log; 200 if not given");
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Options that say where mptcpd's files are, for commands that read them. */
export function policyOptions(command: Command): Command {
  return command
    .option("--config <file>", `mptcpd's configuration, if not ${defaultConfigFile}`)
    .option(
      "--runtime-dir <directory>",
      "mptcpd's runtime directory, if not $RUNTIME_DIRECTORY or /run/mptcpd",
    );
}

/** Printed under the help of the program. */
export const closing =
  "Words may be shortened as with ip(8): `mptcpctl e s i 1` is `mptcpctl endpoint show id 1`.\nExit status: 0 done, 1 refused, 2 not understood.";

/** One line about each command, for the list of commands. */
export const descriptions = {
  endpoint: {
    add: "add an endpoint",
    change: "set backup and fullmesh of an endpoint; what is not named is cleared",
    delete: "delete an endpoint; its subflows are closed",
    show: "list endpoints, or the addresses of a connection under a userspace path manager",
    flush: "delete all endpoints",
  },
  subflow: {
    create: "add a subflow, and wait until the peer has answered",
    destroy: "close a subflow",
    change: "tell the peer to use a subflow only where no other is left, or no longer so",
  },
  announce: "tell the peer of an address of this host, and listen there until a signal if told to",
  withdraw: "take an address back; its subflows are closed",
  listen: "listen for subflows until a signal",
  record: "write what a path manager on this host would hear, until a signal; - is standard output",
  replay: "run a path manager in what was recorded, and print what it does",
  report: "write what is needed to find a fault into one file, without secrets",
  limits: { set: "set limits; what is not named stays", show: "print the limits" },
} as const;

/** Stands under the help of `report`. */
export const reportHelp = `The file can be read by its owner alone; read it before you give it away. It has the kernel, sysctls, endpoints,
limits, counters, connections, links, addresses, routes and rules of this network namespace, and of mptcpd its
processes, unit, log, configuration and state. What cannot be read is left out, and the report says why: run it as
root for all of it.

It has no environment variables, no arguments of programs and no payload.
--addresses=mask, the default, puts names for public and for hardware addresses, the same name for the same
address; mask-all does so for private and link-local addresses, too; keep leaves all as they are.
Configuration: comments are left out; values of keys that mptcpd does not know, arguments of exec and whatever has a
key like "password" or "token" are hidden, and so they are in the log.`;

const tokens = "TOKEN: which connection, as `mptcpctl connections` and `mptcpctl monitor` print it.";
const userspace = "The connection has to be under a userspace path manager (net.mptcp.path_manager).";

/** What stands under the help of single commands, by their paths: their words, as far as the usage does not say it. */
const explanations: Readonly<Record<string, string>> = {
  "mptcpctl endpoint add": `  signal    tell peers of the address (servers); not with fullmesh
  subflow   open further subflows from it (clients)
  laminar   use it towards addresses that peers told of (Linux 6.18)
  backup    use its subflows only where no others are left
  fullmesh  open a subflow from it to every address of the peer
  dev       its subflows leave by this interface
  id        1 to 255; the kernel chooses if not given
  port      what is announced with the address; takes signal`,
  "mptcpctl endpoint change":
    "`mptcpctl endpoint change id 1 backup` clears fullmesh, and the other way round.",
  "mptcpctl endpoint delete":
    "id 0 is the address of initial subflows: it takes ADDRESS, all others go by the id alone.",
  "mptcpctl limits set": `  subflows           how many subflows a connection may have beside the initial one
  add_addr_accepted  how many addresses that the peer announces are taken up`,
  "mptcpctl subflow create": `The first ADDRESS is this host's, the second the peer's. Without a port it is that of the initial
subflow. ${userspace}
${tokens}`,
  "mptcpctl subflow destroy": `Both ends, as \`mptcpctl connections\` prints them.
${userspace}
${tokens}`,
  "mptcpctl subflow change": `Both ends, as \`mptcpctl connections\` prints them.
${userspace}
${tokens}`,
  "mptcpctl announce": `  id      the address id; that of the address in this connection, or the lowest free, if not given
  port    where the peer is to connect to; that of the initial subflow if not given
  listen  hold a listening socket there until a signal, for where no program listens
${userspace}
${tokens}`,
  "mptcpctl withdraw": `${userspace}
${tokens}`,
  "mptcpctl listen": "Port 0 lets the kernel choose.",
};
