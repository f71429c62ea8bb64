/** A table for people: columns as wide as their longest cell, two blanks between them, none at the end. */
export function table(rows: readonly (readonly string[])[], indent = ""): string {
  const widest = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const lines = rows.map((row) => indent + row.map((cell, column) => cell.padEnd(widest(column))).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}
