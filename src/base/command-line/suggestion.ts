/** What was probably meant by an option that commander does not know. */
import type { Command, CommanderError } from "commander";
import { didYouMean } from "../words.ts";

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
