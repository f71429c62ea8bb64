import { escapeControls } from "../text.ts";

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
