/**
 * How programs write to standard output and standard error. Everything passes through here, so that text that others can
 * choose never steers a terminal; JSON stays JSON.
 */
import { escapeLines, oneLine } from "../text.ts";

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
