/** The tree of commands, with the help of each. */
import { Command, CommanderError } from "commander";
import { version } from "../../base/version.ts";
import {
  closing,
  createOptions,
  descriptions,
  explained,
  group,
  help,
  hinting,
  leaf,
  listUsages,
  policyOptions,
  replayOptions,
  reportHelp,
  reportOptions,
  unknownCommand,
} from "./command-tree.ts";
import type { AdoptOptions } from "./commands/adopt.ts";
import type { ReplayCommandOptions } from "./commands/replay.ts";
import type { ReportOptions } from "./commands/report.ts";
import type { CreateOptions, SubflowCommand } from "./commands/subflow.ts";
import type { PolicyOptions } from "./io/mptcpd-state.ts";
import { type CommandOutput, UsageError } from "./io/output.ts";
import {
  announceUsages,
  connectionsUsage,
  endpointUsages,
  limitsUsages,
  subflowUsages,
} from "./io/usages.ts";

/** The functions that run the commands. `words` are the words after the command. */
export type Commands = {
  endpoint(
    command: keyof typeof endpointUsages,
    words: readonly string[],
    output: CommandOutput,
  ): Promise<void>;
  limits(command: keyof typeof limitsUsages, words: readonly string[], output: CommandOutput): Promise<void>;
  connections(words: readonly string[], output: CommandOutput): Promise<void>;
  subflow(
    command: SubflowCommand,
    words: readonly string[],
    options: CreateOptions,
    output: CommandOutput,
  ): Promise<void>;
  announce(words: readonly string[], output: CommandOutput): Promise<void>;
  withdraw(words: readonly string[], output: CommandOutput): Promise<void>;
  listen(words: readonly string[], output: CommandOutput): Promise<void>;
  record(words: readonly string[], output: CommandOutput): Promise<void>;
  replay(words: readonly string[], options: ReplayCommandOptions, output: CommandOutput): Promise<void>;
  monitor(words: readonly string[], output: CommandOutput): Promise<void>;
  explain(words: readonly string[], options: PolicyOptions, output: CommandOutput): Promise<void>;
  adopt(words: readonly string[], options: AdoptOptions, output: CommandOutput): Promise<void>;
  report(words: readonly string[], options: ReportOptions, output: CommandOutput): Promise<void>;
};

type GlobalOptions = { json?: boolean; pretty?: boolean; timestamp?: boolean; netns?: string };

type Surroundings = {
  readonly commands: Commands;
  readonly output: Pick<CommandOutput, "write" | "drain" | "warn" | "columns">;
  /** Continues in another network namespace. Returns only if this process is already in it. */
  enterNetworkNamespace(namespace: string): void;
};

/** Runs a command line, given without the program's name. Throws UsageError, and the command's own errors. */
export async function runProgram(argv: readonly string[], surroundings: Surroundings): Promise<void> {
  const program = buildProgram(surroundings);
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // For `help` with an unknown command, commander prints the program's help and fails: name the command instead.
    if (error.code === "commander.help" && error.exitCode !== 0)
      throw unknownCommand(program, argv[argv.indexOf("help") + 1]);
    // Help and version arrive as errors, too, because exitOverride keeps commander from exiting.
    if (error.exitCode !== 0) throw new UsageError(`${error.message.replace(/^error: /, "")}; ${helpHint}`);
  }
}

/** The tree of commands for completions and the manual. It cannot be run. */
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

  const commandOutput = (): CommandOutput => {
    const { json = false, pretty = false, timestamp = false } = program.opts<GlobalOptions>();
    return { ...output, json, pretty, timestamp };
  };
  program.hook("preAction", () => {
    const { netns } = program.opts<GlobalOptions>();
    if (netns !== undefined) enterNetworkNamespace(netns);
  });

  const endpoint = group(program, "endpoint", "addresses that MPTCP may use for subflows, or announces", () =>
    commands.endpoint("show", [], commandOutput()),
  );
  for (const name of ["add", "change", "delete", "show", "flush"] as const)
    explained(leaf(endpoint, name, endpointUsages[name], descriptions.endpoint[name])).action(
      (words: string[]) => commands.endpoint(name, words, commandOutput()),
    );
  listUsages(endpoint);

  const limits = group(
    program,
    "limits",
    "how many subflows and announced addresses a connection may have",
    () => commands.limits("show", [], commandOutput()),
  );
  for (const name of ["set", "show"] as const)
    explained(leaf(limits, name, limitsUsages[name], descriptions.limits[name])).action((words: string[]) =>
      commands.limits(name, words, commandOutput()),
    );
  listUsages(limits);

  leaf(program, "monitor", "", "print connections, subflows and addresses as they come and go").action(
    (words: string[]) => commands.monitor(words, commandOutput()),
  );
  policyOptions(
    leaf(
      program,
      "explain",
      "[ ADDRESS | INTERFACE ]",
      "say what becomes of each address of this host, and why",
    ),
  ).action((words: string[], options: PolicyOptions) => commands.explain(words, options, commandOutput()));
  policyOptions(
    leaf(
      program,
      "adopt",
      "{ ADDRESS... | --all }",
      "hand endpoints that others made to mptcpd, which then keeps them",
    ),
  )
    .option("--all", "every endpoint that is not mptcpd's yet")
    .action((words: string[], options: AdoptOptions) => commands.adopt(words, options, commandOutput()));

  connectionCommands(program, commands, commandOutput);
  recordingCommands(program, commands, commandOutput);
  policyOptions(reportOptions(leaf(program, "report", "", descriptions.report)))
    .addHelpText("after", `\n${reportHelp}`)
    .action((words: string[], options: ReportOptions) => commands.report(words, options, commandOutput()));

  program.argument("[words...]").action((words: string[]) => {
    throw unknownCommand(program, words[0]);
  });
  return program;
}

function connectionCommands(program: Command, commands: Commands, commandOutput: () => CommandOutput): void {
  leaf(program, "connections", connectionsUsage, "list MPTCP connections with their subflows").action(
    (words: string[]) => commands.connections(words, commandOutput()),
  );

  const subflow = group(program, "subflow", "subflows of connections under a userspace path manager");
  for (const name of ["create", "destroy", "change"] as const) {
    const command = explained(leaf(subflow, name, subflowUsages[name], descriptions.subflow[name]));
    if (name === "create") createOptions(command);
    command.action((words: string[], options: CreateOptions) =>
      commands.subflow(name, words, options, commandOutput()),
    );
  }
  listUsages(subflow);

  for (const name of ["announce", "withdraw", "listen"] as const)
    explained(leaf(program, name, announceUsages[name], descriptions[name])).action((words: string[]) =>
      commands[name](words, commandOutput()),
    );
}

function recordingCommands(program: Command, commands: Commands, commandOutput: () => CommandOutput): void {
  leaf(program, "record", "FILE", descriptions.record).action((words: string[]) =>
    commands.record(words, commandOutput()),
  );
  replayOptions(leaf(program, "replay", "FILE --plugin { NAME | PATH }", descriptions.replay)).action(
    (words: string[], options: ReplayCommandOptions) => commands.replay(words, options, commandOutput()),
  );
}
