/**
 * Command lines of services: "COMMAND LINES" of systemd.service(5), config_parse_exec() in src/core/load-fragment.c.
 * There, escapes that systemd does not know stay as they are (extract_first_word_and_warn()).
 */

import { type Assignment, splitWords, UnitSyntaxError, validWords } from "./unit-syntax.ts";

export type ExecLine = {
  /** What stands before the path, in the order in which it is written, but "@", for which there is `argv0`. */
  readonly prefixes: string;
  readonly path: string;
  /** What the program is told that its name is, if that is not the path. */
  readonly argv0: string | undefined;
  /** The arguments, as they are written. */
  readonly rest: string;
};

/** Of one command, as `execLines` gives them. Throws a UnitSyntaxError. */
export function parseExecLine(value: string): ExecLine {
  const [first, second] = splitWords(value, "keep");
  const [, written = "", path = ""] = /^([-@:+!|]*)(.*)$/s.exec(first?.text ?? "") ?? [];
  if (first === undefined || path === "")
    throw new UnitSyntaxError(`a command line without a program: ${value}`);
  const argv0 = written.includes("@") ? second : undefined;
  if (written.includes("@") && argv0 === undefined)
    throw new UnitSyntaxError(`"@" without a name for the program: ${value}`);
  return {
    prefixes: written.replaceAll("@", ""),
    path,
    argv0: argv0?.text,
    rest: withoutBlanks(value.slice((argv0 ?? first).end)),
  };
}

/**
 * The commands that count for a key such as "ExecStart", each as a value of its own: an empty value takes back those
 * before it, one may have several.
 */
export function execLines(assignments: readonly Assignment[], key: string): string[] {
  let lines: string[] = [];
  for (const { section, key: assigned, value } of assignments) {
    if (section !== "Service" || assigned !== key) continue;
    lines = value === "" ? [] : [...lines, ...commandsIn(value)];
  }
  return lines;
}

/** A ";" between blanks parts commands; an argument ";" is written as \; or in quotes. */
function commandsIn(value: string): string[] {
  const commands: string[] = [];
  let start = 0;
  let end = 0;
  for (const word of validWords(value, "keep")) {
    if (word.raw === ";") {
      commands.push(value.slice(start, end));
      start = word.end;
    }
    end = word.end;
  }
  return [...commands, value.slice(start)].map(withoutBlanks).filter((command) => command !== "");
}

/** Without those before it: one at the end may be part of the last word. */
function withoutBlanks(text: string): string {
  return text.replace(/^[ \t]+/, "");
}
