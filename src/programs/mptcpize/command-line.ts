/** The tree of commands, with the help of each. */
import { Command, CommanderError, Option } from "commander";
import { suggestionFor } from "../../base/command-line/command-error.ts";
import { didYouMean } from "../../base/text.ts";
import { version } from "../../base/version.ts";
import { hows, optionPolicies } from "../../services/ways.ts";
import type { AttachOptions } from "./attach.ts";
import type { DisableOptions, EnableOptions } from "./enable.ts";
import { CommandError, exitCodes, type StandardStreams, UsageError } from "./output.ts";
import type { StatusOptions } from "./status.ts";

/** The functions that run the commands; each returns the exit code. The launcher runs `run`. */
export type Commands = {
  enable(units: readonly string[], options: EnableOptions, streams: StandardStreams): Promise<number>;
  disable(units: readonly string[], options: DisableOptions, streams: StandardStreams): Promise<number>;
  status(words: readonly string[], options: StatusOptions, streams: StandardStreams): Promise<number>;
  attach(options: AttachOptions, streams: StandardStreams): Promise<number>;
};

type ProgramStreams = StandardStreams & {
  /** Writes to standard error, unchanged. */
  writeError(text: string): void;
};

/**
 * Runs a command line, given without the program's name.
 *
 * @returns the exit code
 * @throws UsageError, and the command's own errors
 */
export async function runProgram(
  argv: readonly string[],
  commands: Commands,
  streams: ProgramStreams,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = buildProgram(commands, streams, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    // Help, usage and version arrive as errors, too, because exitOverride keeps commander from exiting.
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
  }
  return exitCode;
}

/** The tree of commands for completions and the manual. It cannot be run. */
export function describeProgram(): Command {
  const refuse = async (): Promise<number> => {
    throw new Error("this program is described, not run");
  };
  const commands = { enable: refuse, disable: refuse, status: refuse, attach: refuse };
  const streams = { write: () => undefined, writeError: () => undefined, warn: () => undefined };
  return buildProgram(commands, streams, () => undefined);
}

function buildProgram(commands: Commands, streams: ProgramStreams, exit: (code: number) => void): Command {
  const program: Command = new Command("mptcpize")
    .description("Makes programs and services use Multipath TCP that know only TCP.")
    .usage("[OPTION...] COMMAND [ARGUMENT...]")
    .option("--usage", "print a short usage message")
    .on("option:usage", () => {
      streams.write("Usage: mptcpize [-?V] [--help] [--usage] [--version] COMMAND [ARGUMENT...]\n");
      throw new CommanderError(exitCodes.ok, "mptcpize.usage", "(usage)");
    })
    .version(`mptcpize ${version}`, "-V, --version", "print the version")
    .helpOption("-?, --help", "print this help, or that of a command")
    .helpCommand("help [command]", "print the help of a command")
    .configureHelp(help)
    .configureOutput({ writeOut: streams.write, writeErr: streams.writeError, outputError: () => {} })
    .showSuggestionAfterError(false)
    .exitOverride(failing("mptcpize", () => program))
    .addHelpText("after", `\n${closing}`);

  const missing = (what: string) => {
    streams.warn(`missing ${what} argument`);
    program.outputHelp({ error: true });
    exit(exitCodes.command);
  };

  command(program, "run", "[-d] [OPTION...] [--] PROGRAM [ARGUMENT...]", "run a program with MPTCP sockets")
    .option("-d", "say on standard error which way is taken, and each socket that is made MPTCP")
    .addOption(howOption())
    .addOption(
      new Option("--options <answer>", "the answer to socket options that MPTCP refuses").choices(
        optionPolicies,
      ),
    )
    .option("--off", "the opposite: TCP, for a program that turns MPTCP on by itself")
    .option("--strict", "run nothing that would run as TCP")
    .option("--argv0 <name>", "what the program is to see as its own name")
    .option("--dry-run", "run nothing, print what would be done")
    .helpOption("-h, --help", "print this help")
    .argument("[words...]")
    .action(() => {
      throw new CommandError("LAUNCHER", "the launcher does `run`: start mptcpize, not this script");
    });

  unitOptions(
    command(program, "enable", "[OPTION...] UNIT...", "make services or sockets of systemd use MPTCP"),
  )
    .addOption(howOption())
    .option("--runtime", "until the next boot only")
    .action(async (units: string[], options: EnableOptions) =>
      units.length === 0 ? missing("unit") : exit(await commands.enable(units, options, streams)),
    );

  unitOptions(command(program, "disable", "[OPTION...] UNIT...", "take away what enable wrote")).action(
    async (units: string[], options: DisableOptions) =>
      units.length === 0 ? missing("unit") : exit(await commands.disable(units, options, streams)),
  );

  command(program, "status", "[OPTION...] [UNIT|PID]...", "show what is enabled, and whether it works")
    .option("--user", "units of your own service manager")
    .option("--json", "for programs")
    .argument("[words...]")
    .action(async (words: string[], options: StatusOptions) =>
      exit(await commands.status(words, options, streams)),
    );

  program
    .command("attach", { hidden: true })
    .description("attach the BPF program to the unit that this is called in, or to a process")
    .option("--pid <pid>", "a process, which gets a cgroup of its own")
    .option("--sweep", "forget cgroups that are gone")
    .option("--debug", "say what the kernel does not take")
    .option("--refuse-options", "leave socket options that MPTCP refuses to the kernel")
    .action(async (options: AttachOptions) => exit(await commands.attach(options, streams)));

  program.argument("[words...]").action(([word]: string[]) => {
    if (word === undefined) program.outputHelp({ error: true });
    else {
      const names = program
        .createHelp()
        .visibleCommands(program)
        .map((command) => command.name());
      throw new UsageError(`unknown arg ${word}${didYouMean(word, names)}`, exitCodes.command);
    }
  });
  return program;
}

/** The usage is complete: leave out commander's `[options] [words...]`. */
const help = {
  subcommandTerm: (command: Command) => command.name(),
  commandUsage: (command: Command) =>
    `${command.parent === null ? "" : `${command.parent.name()} `}${command.name()} ${command.usage()}`,
  visibleArguments: () => [],
};

const closing = [
  "A unit is changed by a drop-in beside it; it takes effect when the unit starts again.",
  "Exit status: 0 done; 1 refused or failed; 64 an option is not understood; 255 a command is not. `run` exits as",
  "the program does, or with 125 (cannot do it), 126 (cannot execute it) or 127 (not found).",
].join("\n");

function command(program: Command, name: string, usage: string, description: string): Command {
  const created = program.command(name);
  return created
    .usage(usage)
    .description(description)
    .configureHelp(help)
    .exitOverride(failing(`mptcpize ${name}`, () => created));
}

/** Turns commander's errors into UsageErrors that point to the help of this command. */
function failing(command: string, itself: () => Command): (error: CommanderError) => void {
  return (error) => {
    if (error.exitCode === 0) throw error;
    const message = error.message.replace(/^error: /, "").replace(/\.$/, "") + suggestionFor(error, itself());
    throw new UsageError(`${message}; \`${command} --help\` shows what is allowed`, exitCodes.usage);
  };
}

function howOption(): Option {
  return new Option("--how <way>", "the way, if not the one that suits the program").choices(hows);
}

function unitOptions(command: Command): Command {
  return command
    .option("--user", "units of your own service manager")
    .option("--now", "restart the unit, if it is running")
    .option("--dry-run", "change nothing, print what would be done")
    .option("--force", "even if somebody has edited the drop-in")
    .option("--repair", "first take out of the unit file what the C mptcpize put there, and show it")
    .argument("[units...]");
}
