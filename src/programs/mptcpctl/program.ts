/** The tree of commands: what there is to say, and its help. */
import { Command, CommanderError } from "commander";
import { suggestionFor } from "../../base/command-line/command-error.ts";
import { version } from "../../base/version.ts";
import { didYouMean } from "../../base/words.ts";
import type { AdoptOptions } from "./adopt.ts";
import { connectionUsages } from "./connection-grammar.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./exit.ts";
import { explanations } from "./explanations.ts";
import { usages } from "./grammar.ts";
import type { PolicyOptions } from "./policy-options.ts";
import { createOptions, policyOptions, replayOptions, reportHelp, reportOptions } from "./program-options.ts";
import type { ReplayCommandOptions } from "./replay.ts";
import type { ReportOptions } from "./report.ts";
import type { CreateOptions, SubflowCommand } from "./subflow.ts";

/** What the commands do. `words` are those that follow the command. */
export type Commands = {
  endpoint(command: keyof typeof usages.endpoint, words: readonly string[], context: Context): Promise<void>;
  limits(command: keyof typeof usages.limits, words: readonly string[], context: Context): Promise<void>;
  connections(words: readonly string[], context: Context): Promise<void>;
  subflow(
    command: SubflowCommand,
    words: readonly string[],
    options: CreateOptions,
    context: Context,
  ): Promise<void>;
  announce(words: readonly string[], context: Context): Promise<void>;
  withdraw(words: readonly string[], context: Context): Promise<void>;
  listen(words: readonly string[], context: Context): Promise<void>;
  record(words: readonly string[], context: Context): Promise<void>;
  replay(words: readonly string[], options: ReplayCommandOptions, context: Context): Promise<void>;
  monitor(words: readonly string[], context: Context): Promise<void>;
  explain(words: readonly string[], options: PolicyOptions, context: Context): Promise<void>;
  adopt(words: readonly string[], options: AdoptOptions, context: Context): Promise<void>;
  report(words: readonly string[], options: ReportOptions, context: Context): Promise<void>;
};

type GlobalOptions = { json?: boolean; pretty?: boolean; timestamp?: boolean; netns?: string };

type Surroundings = {
  readonly commands: Commands;
  readonly output: Pick<Context, "write" | "drain" | "warn" | "columns">;
  /** Goes on in another network namespace: does not come back if this process is not in it. */
  enterNetworkNamespace(namespace: string): void;
};

/** Runs a command line, without the program's name. Throws UsageError, and what the command throws. */
export async function runProgram(argv: readonly string[], surroundings: Surroundings): Promise<void> {
  const program = buildProgram(surroundings);
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help of what does not exist is the program's own, and a failure.
    if (error.code === "commander.help" && error.exitCode !== 0)
      throw unknownCommand(program, argv[argv.indexOf("help") + 1]);
    // Help and version come as errors, too, since commander is not to exit by itself.
    if (error.exitCode !== 0) throw new UsageError(`${error.message.replace(/^error: /, "")}; ${helpHint}`);
  }
}

/** The tree of commands, to be looked at: for completions and the manual. */
export function describeProgram(): Command {
  const refuse = async (): Promise<void> => {
    throw new Error("this program is described, not run");
  };
  const commands: Commands = {
    ...{ endpoint: refuse, limits: refuse, connections: refuse, subflow: refuse, announce: refuse },
    ...{ withdraw: refuse, listen: refuse, record: refuse, replay: refuse, monitor: refuse },
    ...{ explain: refuse, adopt: refuse, report: refuse },
  };
  const output = { write: () => undefined, drain: () => undefined, warn: () => undefined };
  return buildProgram({ commands, output, enterNetworkNamespace: () => undefined });
}

const helpHint = "`mptcpctl --help` shows what is allowed";

function buildProgram({ commands, output, enterNetworkNamespace }: Surroundings): Command {
  const program = new Command("mptcpctl")
    .description("Shows, changes and explains Multipath TCP on this host; needs no daemon.")
    .usage("[OPTION...] COMMAND [WORD...]")
    .option("-n, --netns <namespace>", "another network namespace: its name or path")
    .option("-j, --json", "JSON: the objects of `ip -j mptcp` where it has any")
    .option("-p, --pretty", "JSON over many lines")
    .option("-t, --timestamp", "monitor: the time of each event")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help, or that of a command")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp(help)
    .configureOutput({ writeOut: output.write, writeErr: () => {} })
    .showSuggestionAfterError(false)
    .addHelpText("after", `\n${closing}`);
  hinting(program);

  const context = (): Context => {
    const { json = false, pretty = false, timestamp = false } = program.opts<GlobalOptions>();
    return { ...output, json, pretty, timestamp };
  };
  program.hook("preAction", () => {
    const { netns } = program.opts<GlobalOptions>();
    if (netns !== undefined) enterNetworkNamespace(netns);
  });

  const endpoint = group(program, "endpoint", "addresses that MPTCP may use for subflows, or announces", () =>
    commands.endpoint("show", [], context()),
  );
  for (const name of ["add", "change", "delete", "show", "flush"] as const)
    explained(leaf(endpoint, name, usages.endpoint[name], descriptions.endpoint[name])).action(
      (words: string[]) => commands.endpoint(name, words, context()),
    );
  listUsages(endpoint);

  const limits = group(
    program,
    "limits",
    "how many subflows and announced addresses a connection may have",
    () => commands.limits("show", [], context()),
  );
  for (const name of ["set", "show"] as const)
    explained(leaf(limits, name, usages.limits[name], descriptions.limits[name])).action((words: string[]) =>
      commands.limits(name, words, context()),
    );
  listUsages(limits);

  leaf(program, "monitor", "", "print connections, subflows and addresses as they come and go").action(
    (words: string[]) => commands.monitor(words, context()),
  );
  policyOptions(
    leaf(
      program,
      "explain",
      "[ ADDRESS | INTERFACE ]",
      "say what becomes of each address of this host, and why",
    ),
  ).action((words: string[], options: PolicyOptions) => commands.explain(words, options, context()));
  policyOptions(
    leaf(
      program,
      "adopt",
      "{ ADDRESS... | --all }",
      "hand endpoints that others made to mptcpd, which then keeps them",
    ),
  )
    .option("--all", "every endpoint that is not mptcpd's yet")
    .action((words: string[], options: AdoptOptions) => commands.adopt(words, options, context()));

  connectionCommands(program, commands, context);
  recordingCommands(program, commands, context);
  policyOptions(reportOptions(leaf(program, "report", "", descriptions.report)))
    .addHelpText("after", `\n${reportHelp}`)
    .action((words: string[], options: ReportOptions) => commands.report(words, options, context()));

  program.argument("[words...]").action((words: string[]) => {
    throw unknownCommand(program, words[0]);
  });
  return program;
}

function connectionCommands(program: Command, commands: Commands, context: () => Context): void {
  leaf(
    program,
    "connections",
    connectionUsages.connections,
    "list MPTCP connections with their subflows",
  ).action((words: string[]) => commands.connections(words, context()));

  const subflow = group(program, "subflow", "subflows of connections under a userspace path manager");
  for (const name of ["create", "destroy", "change"] as const) {
    const command = explained(
      leaf(subflow, name, connectionUsages.subflow[name], descriptions.subflow[name]),
    );
    if (name === "create") createOptions(command);
    command.action((words: string[], options: CreateOptions) =>
      commands.subflow(name, words, options, context()),
    );
  }
  listUsages(subflow);

  for (const name of ["announce", "withdraw", "listen"] as const)
    explained(leaf(program, name, connectionUsages[name], descriptions[name])).action((words: string[]) =>
      commands[name](words, context()),
    );
}

function recordingCommands(program: Command, commands: Commands, context: () => Context): void {
  leaf(program, "record", "FILE", descriptions.record).action((words: string[]) =>
    commands.record(words, context()),
  );
  replayOptions(leaf(program, "replay", "FILE --plugin { NAME | PATH }", descriptions.replay)).action(
    (words: string[], options: ReplayCommandOptions) => commands.replay(words, options, context()),
  );
}

/** Usages say it all: no aliases, no `[options] [words...]`. */
const help = {
  subcommandTerm: (command: Command) => command.name(),
  commandUsage: (command: Command) => `${pathOf(command)} ${command.usage()}`.trim(),
  visibleArguments: () => [],
};

const closing =
  "Words may be shortened as with ip(8): `mptcpctl e s i 1` is `mptcpctl endpoint show id 1`.\nExit status: 0 done, 1 refused, 2 not understood.";

const descriptions = {
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

/** A command that has commands under it, and may do something without any. */
function group(parent: Command, name: string, description: string, byDefault?: () => Promise<void>): Command {
  const command = leaf(parent, name, byDefault === undefined ? "COMMAND" : "[COMMAND]", description);
  return command.action((words: string[]) => {
    if (words.length > 0 || byDefault === undefined) throw unknownCommand(command, words[0]);
    return byDefault();
  });
}

function leaf(parent: Command, name: string, usage: string, description: string): Command {
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
function hinting(command: Command): Command {
  return command.exitOverride((error) => {
    if (error.exitCode === 0 || error.code === "commander.help") throw error;
    const problem = error.message.replace(/^error: /, "") + suggestionFor(error, command);
    throw new UsageError(`${problem}; \`${pathOf(command)} --help\` shows what is allowed`);
  });
}

/** What the words of a command mean, where they do not say it themselves. */
function explained(command: Command): Command {
  const text = explanations[pathOf(command)];
  return text === undefined ? command : command.addHelpText("after", `\n${text}`);
}

/** Puts a group's grammar under its help, as `ip mptcp help` has it. */
function listUsages(command: Command): void {
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

function unknownCommand(parent: Command, word: string | undefined): UsageError {
  const names = parent.commands.map((command) => command.name());
  const path = parent.parent === null ? "" : `${parent.name()}: `;
  const problem =
    word === undefined ? "a command is missing" : `"${word}" is not understood${didYouMean(word, names)}`;
  return new UsageError(`${path}${problem}; allowed: ${names.join(", ")}`);
}
