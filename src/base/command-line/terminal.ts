/**
 * How programs write to standard output and standard error. Everything passes through here, so that text that others
 * can choose never steers a terminal; JSON stays JSON.
 */
import { escapeControls, escapeLines, oneLine } from "../text.ts";

export function writeOutput(text: string): void {
  process.stdout.write(escapeLines(text));
}

/** How wide the terminal is, or what COLUMNS says in its place; undefined if neither is there. */
export function outputColumns(
  { columns }: { readonly columns?: number } = process.stdout,
  { COLUMNS: given = "" }: NodeJS.ProcessEnv = process.env,
): number | undefined {
  // A terminal that does not know its size says 0.
  if (columns !== undefined && columns > 0) return columns;
  return /^[1-9]\d{0,4}$/.test(given) ? Number(given) : undefined;
}

/** Text of several lines, as help is. */
export function writeError(text: string): void {
  process.stderr.write(escapeLines(text));
}

/** One line, after the program's name. */
export function complain(program: string, message: string): void {
  writeError(`${program}: ${oneLine(message)}\n`);
}

/** The last words: of a fault of the program itself they have several lines, the stack. */
export function complainAtEnd(program: string, lines: string): void {
  writeError(`${program}: ${lines}\n`);
}

/**
 * A table for people: columns as wide as their longest cell, two blanks between them, none at the end. No cell begins a
 * line of its own.
 */
export function table(cells: readonly (readonly string[])[], indent = ""): string {
  const rows = cells.map((row) => row.map(escapeControls));
  const widest = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const lines = rows.map((row) => indent + row.map((cell, column) => cell.padEnd(widest(column))).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** Words over as many lines as it takes, of which those after the first are indented further; none is parted. */
export function wrapped(text: string, columns: number, indent = ""): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    const isFirst = line.trim() === "";
    if (!isFirst && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = `${indent}  ${word}`;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line].map((one) => `${one}\n`).join("");
}
