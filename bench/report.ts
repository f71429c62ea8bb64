import type { Results, Row } from "./results.ts";

const HEAD = ["", "ours", "C", "ratio", "goal"] as const;

/** The results as lines for a terminal. */
export function asText(results: Results): string {
  const table = [[...HEAD], ...results.rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    ),
  );
  const notes = results.rows.flatMap(({ title, note }) => (note === null ? [] : [`${title}: ${note}`]));
  return [about(results), "", ...lines.map((line) => line.join("  ").trimEnd()), "", ...notes].join("\n");
}

/** The results as a part of a Markdown page. */
export function asMarkdown(results: Results): string {
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  const notes = results.rows.flatMap(({ title, note }) => (note === null ? [] : [`- ${title}: ${note}`]));
  return [
    about(results),
    "",
    line(HEAD),
    "|---|--:|--:|--:|---|",
    ...results.rows.map((row) => line(cells(row))),
    ...(notes.length > 0 ? ["", ...notes] : []),
  ].join("\n");
}

function about({ date, machine, kernel, node, theirs, quick }: Results): string {
  const { processor, cores, memoryGiB } = machine;
  const other = theirs ?? "no C program: its package could not be had";
  const length = quick ? " A quick run: too few samples to rely on." : "";
  return `${date}: ${processor}, ${cores} cores, ${memoryGiB} GiB; Linux ${kernel}; Node ${node}; ${other}.${length}`;
}

function cells({ title, unit, ours, theirs, goal, met }: Row): string[] {
  const comparable = ours !== null && theirs !== null && theirs > 0;
  const ratio = comparable ? `${ratioText(ours / theirs)}×` : "";
  const verdict = met === null ? "" : met ? ": met" : ": missed";
  return [title, quantity(ours, unit), quantity(theirs, unit), ratio, `${goal ?? ""}${verdict}`];
}

/** Three digits are more than the machine's noise leaves true. */
function quantity(value: number | null, unit: string): string {
  if (value === null) return "–";
  // A number without a unit is a count.
  if (unit === "") return value.toLocaleString("en");
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const text = value >= 10_000 ? Math.round(value).toLocaleString("en") : value.toFixed(digits);
  return `${text} ${unit}`;
}

/** Two digits, and no exponent where there are more. */
function ratioText(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : ratio.toPrecision(2);
}
