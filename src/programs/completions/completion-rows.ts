import type { Command, Option } from "commander";

/** One word that a shell can complete, in the form that packaging/completions/ reads. */
export interface Row {
  /** The command before the word: "endpoint add"; "" for the program's name, "*" for any command. */
  readonly place: string;
  /** A "keyword" has a value after it, a "word" has none. */
  readonly kind: "command" | "option" | "keyword" | "word" | "argument";
  /** The word itself. For an argument: "..." if there may be several, else "". */
  readonly name: string;
  /** The possible values of the word or argument; "" if it has no value, "-" if nothing can be suggested. */
  readonly value: Value;
  readonly help: string;
}

export type Value =
  | ""
  | "-"
  | "address"
  | "directory"
  | "enabled-unit"
  | "endpoint"
  | "endpoint-id"
  | "file"
  | "interface"
  | "netns"
  | "program"
  | "token"
  | "unit"
  /** One of these words. */
  | `choice:${string}`
  /** Several of these words, separated by commas. */
  | `list:${string}`
  /** Path managers. `plugins`: several of these and of the plugin directory. `module`: one of these, or a file. */
  | `plugins:${string}`
  | `module:${string}`;

/** "endpoint add|keyword|dev|interface|" */
export function rowText({ place, kind, name, value, help }: Row): string {
  const fields = [place, kind, name, value, help];
  const wrong = fields.find((field) => /[|\n]/.test(field));
  if (wrong !== undefined) throw new Error(`${JSON.stringify(wrong)} cannot stand in a table of completions`);
  return fields.join("|");
}

/** Facts that a program's tree of commands does not contain. */
export interface Additions {
  /** Whether options of the program may follow its commands, too. */
  readonly optionsEverywhere: boolean;
  /** Possible values, by the placeholder, such as "<file>", or by "PLACE NAME". */
  readonly values: ReadonlyMap<string, Value>;
}

/** The rows of a program's commands, options and arguments. */
export function rowsOfCommander(program: Command, additions: Additions): Row[] {
  const ofRoot = program.createHelp().visibleOptions(program);
  const place = additions.optionsEverywhere ? "*" : "";
  const versions = ["--version", "--usage"];
  return [
    ...ofRoot.flatMap((option) =>
      rowsOfOption(option, versions.includes(option.long ?? "") ? "" : place, additions),
    ),
    ...rowsBelow(program, "", additions),
  ];
}

function rowsBelow(command: Command, place: string, additions: Additions): Row[] {
  const commands = command.createHelp().visibleCommands(command);
  return commands.flatMap((one) => {
    const name = one.name();
    const row: Row = { place, kind: "command", name, value: "", help: one.description() };
    if (name === "help") return [row, helpArgument(command, place, commands)];
    const here = `${place} ${name}`.trim();
    return [row, ...optionsOf(one, here, additions), ...argumentsOf(one, here, additions)].concat(
      rowsBelow(one, here, additions),
    );
  });
}

function optionsOf(command: Command, place: string, additions: Additions): Row[] {
  const all = command.createHelp().visibleOptions(command);
  // In that case --help is already listed as an option of the program.
  const own = additions.optionsEverywhere ? command.options.filter((option) => all.includes(option)) : all;
  return own.flatMap((option) => rowsOfOption(option, place, additions));
}

function rowsOfOption(option: Option, place: string, { values }: Additions): Row[] {
  const { short, long, argChoices, description: help } = option;
  const called = /<[^>]*>/.exec(option.flags)?.[0];
  const names = [short, long].filter((name) => name !== undefined);
  return names.map((name) => {
    const known = values.get(`${place} ${name}`) ?? (called === undefined ? "" : values.get(called));
    const value = argChoices === undefined ? (known ?? "-") : (`choice:${argChoices.join(",")}` as const);
    return { place, kind: "option", name, value, help };
  });
}

/** Reads the arguments of a command from its usage, such as "{ ADDRESS... | --all }". */
function argumentsOf(command: Command, place: string, { values }: Additions): Row[] {
  if (command.commands.length > 0) return [];
  const found = command.usage().matchAll(/(?<!-)\b([A-Z]+)\b(\.\.\.)?|\[([A-Z|]+)\]\.\.\./g);
  return Array.from(found).flatMap(([, word = "", several = "", group]) =>
    (group?.split("|") ?? [word]).flatMap((one): Row[] => {
      const value = values.get(`${place} ${one}`) ?? values.get(one);
      if (value === undefined) return [];
      return [{ place, kind: "argument", name: group === undefined ? several : "...", value, help: "" }];
    }),
  );
}

function helpArgument(parent: Command, place: string, commands: readonly Command[]): Row {
  const names = commands.map((command) => command.name()).filter((name) => name !== "help");
  const here = `${place} help`.trim();
  return {
    ...{ place: here, kind: "argument", name: "", value: `choice:${names.join(",")}` },
    help: parent.description(),
  };
}
