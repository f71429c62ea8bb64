/** A program's commands as its manual has to show them. */
import type { Command, Option } from "commander";
import type { Definition } from "./page.ts";

export interface DescribedCommand {
  /** "mptcpctl endpoint delete id ID [ADDRESS]" */
  readonly term: string;
  /** "--deadline SECONDS" */
  readonly options: readonly string[];
}

/** Every command that is no group of others, but for `help`. */
export function commandsOf(program: Command): DescribedCommand[] {
  return below(program, program.name(), termsOfOptions(program));
}

/** Its options, with that for help. */
export function termsOfOptions(command: Command): string[] {
  return command.createHelp().visibleOptions(command).map(termOf);
}

/** What a page has of commands, in the same shape. */
export function documentedCommands(definitions: readonly Definition[]): DescribedCommand[] {
  return definitions.map(({ term, below }) => ({ term, options: below.map(({ term }) => term).toSorted() }));
}

function below(command: Command, path: string, ofRoot: readonly string[]): DescribedCommand[] {
  const help = command.createHelp();
  return help.visibleCommands(command).flatMap((one) => {
    if (one.name() === "help") return [];
    const here = `${path} ${one.name()}`;
    if (one.commands.length > 0) return below(one, here, ofRoot);
    // Help that is the same everywhere stands with the options of the program.
    const options = termsOfOptions(one).filter((term) => !ofRoot.includes(term));
    return { term: `${here} ${tight(one.usage())}`.trim(), options: options.toSorted() };
  });
}

function termOf({ flags }: Option): string {
  return flags.replace(/<([^>]*)>/g, (_, name: string) => name.toUpperCase());
}

/** "[ id ID | ADDRESS ]": "[id ID|ADDRESS]" */
function tight(usage: string): string {
  return usage
    .replace(/([[{]) /g, "$1")
    .replace(/ ([\]}])/g, "$1")
    .replaceAll(" | ", "|");
}
