import { escapeControls } from "../log/text.ts";

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
