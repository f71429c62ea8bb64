/** What `systemctl show` writes: bus_print_property() in systemd's src/shared/bus-print-properties.c. */
import { readEscape, UnitSyntaxError } from "./words.ts";

/**
 * The words of a list that is shown on one line: each bare, in "…", or in $'…', as shell_maybe_quote() of
 * src/basic/escape.c has them.
 */
export function parseShownWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*(?:\$'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|([^\s"]\S*))/sy;
  const end = line.trimEnd().length;
  while (pattern.lastIndex < end) {
    const [, posix, quoted, bare] = pattern.exec(line) ?? [];
    const escaped = posix ?? quoted;
    const word = escaped === undefined ? bare : unescaped(escaped);
    if (word === undefined) throw new UnitSyntaxError(`a list of systemctl that cannot be read: ${line}`);
    words.push(word);
  }
  return words;
}

/** Control characters are shown as in C; before "$" and "`" a backslash says that they mean themselves. */
function unescaped(text: string): string {
  const pieces = text.split(/(\\(?:[0-7]{3}|.))/s).map((piece) => {
    if (!piece.startsWith("\\")) return Buffer.from(piece);
    return readEscape(piece, 0)?.bytes ?? Buffer.from(piece.slice(1));
  });
  return Buffer.concat(pieces).toString();
}

/** What `systemctl show` says of a unit. A property that it does not have, or that is empty, is "" or []. */
export class Properties {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  text(name: string): string {
    return this.lines(name)[0] ?? "";
  }

  /** One for each time that the property is shown: "ExecStart" for every command. */
  lines(name: string): string[] {
    return (this.#values.get(name) ?? []).filter((line) => line !== "");
  }

  words(name: string): string[] {
    return parseShownWords(this.text(name));
  }

  yes(name: string): boolean {
    return this.text(name) === "yes";
  }
}

/** The paths of EnvironmentFile=, specifiers expanded. */
export function environmentFilesOf(unit: Properties): string[] {
  return unit.lines("EnvironmentFiles").map((line) => line.replace(/ \(ignore_errors=(?:yes|no)\)$/, ""));
}
