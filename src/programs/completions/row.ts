/** What shells complete, as packaging/completions/ reads it: a row for each thing that may be written. */
export interface Row {
  /** After which command: "endpoint add"; "" after the program's name, "*" after any. */
  readonly place: string;
  /** A command, an option, a word with a value after it, a word alone, an argument. */
  readonly kind: "command" | "option" | "keyword" | "word" | "argument";
  /** As it is written; of an argument "..." if there may be several, else "". */
  readonly name: string;
  /** What its value, or the argument, may be; "" where there is none, "-" where nothing is known of it. */
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
  /** One of them. */
  | `choice:${string}`
  /** Some of them, with commas. */
  | `list:${string}`
  /** Of plugins: these and those of the plugin directory, with commas; or one of these, or a file. */
  | `plugins:${string}`
  | `module:${string}`;

/** "endpoint add|keyword|dev|interface|" */
export function rowText({ place, kind, name, value, help }: Row): string {
  const fields = [place, kind, name, value, help];
  const wrong = fields.find((field) => /[|\n]/.test(field));
  if (wrong !== undefined) throw new Error(`${JSON.stringify(wrong)} cannot stand in a table of completions`);
  return fields.join("|");
}
