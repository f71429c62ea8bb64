import type { Command, CommanderError } from "commander";
import { traceOf } from "../errors.ts";
import { didYouMean } from "../text.ts";

/** Something that was asked for is not there or cannot be done. The message is one line. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What to say of an error that has no code: it is for a bug report, so it keeps its stack. */
export function internalError(error: unknown): string {
  return `internal error: ${traceOf(error)}`;
}

/** " (did you mean --json?)"; empty for other errors, and where no option of the command is near. */
export function suggestionFor(error: CommanderError, command: Command): string {
  if (error.code !== "commander.unknownOption") return "";
  const word = /'(-[^'=]*)[^']*'/.exec(error.message)?.[1] ?? "";
  const commands = [command, ...parentsOf(command)];
  const options = commands.flatMap((one) => one.createHelp().visibleOptions(one));
  return didYouMean(
    word,
    options.flatMap(({ long }) => (long === undefined ? [] : [long])),
  );
}

function parentsOf({ parent }: Command): Command[] {
  return parent === null ? [] : [parent, ...parentsOf(parent)];
}
