/**
 * Command lines of services: "COMMAND LINES" of systemd.service(5), config_parse_exec() in src/core/load-fragment.c. In
 * command lines, systemd leaves unknown escapes as they are (extract_first_word_and_warn()).
 */

import { type Assignment, splitWords, UnitSyntaxError, validWords } from "./unit-syntax.ts";

export type ExecLine = {
  /** The characters before the path, in the written order. "@" is left out, because `argv0` stands for it. */
  readonly prefixes: string;
  readonly path: string;
  /** The name that the program gets as argv[0], if that is not the path. */
  readonly argv0: string | undefined;
  /** The arguments, as written. */
  readonly rest: string;
};

/** Parses one command from `execLines`. Throws a UnitSyntaxError. */
export function parseExecLine(value: string): ExecLine {
  const [first, second] = splitWords(value, "keep");
  const [, written = "", path = ""] = /^([-@:+!|]*)(.*)$/s.exec(first?.text ?? "") ?? [];
  if (first === undefined || path === "")
    throw new UnitSyntaxError(`the command line has no program: ${value}`);
  const argv0 = written.includes("@") ? second : undefined;
  if (written.includes("@") && argv0 === undefined)
    throw new UnitSyntaxError(`"@" has no name for the program after it: ${value}`);
  return {
    prefixes: written.replaceAll("@", ""),
    path,
    argv0: argv0?.text,
    rest: withoutBlanks(value.slice((argv0 ?? first).end)),
  };
}

/**
 * The commands that take effect for a key such as "ExecStart". One value may have several commands; an empty value
 * cancels the values before it.
 */
export function execLines(assignments: readonly Assignment[], key: string): string[] {
  let lines: string[] = [];
  for (const { section, key: assigned, value } of assignments) {
    if (section !== "Service" || assigned !== key) continue;
    lines = value === "" ? [] : [...lines, ...commandsIn(value)];
  }
  return lines;
}

/** A ";" between blanks separates commands. An argument ";" is written as \; or in quotes. */
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

/** Removes leading blanks only: a blank at the end may be part of the last word. */
function withoutBlanks(text: string): string {
  return text.replace(/^[ \t]+/, "");
}
