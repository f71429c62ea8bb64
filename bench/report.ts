import { type Circumstances, majorVersion, type Row, type TableRun } from "./results.ts";
import { subjectNames } from "./rows.ts";

/** A run as lines for a terminal. */
export function asText(run: TableRun): string {
  const { ours, theirs, bareC, bareNode } = subjectNames;
  const head = ["", ours, theirs, bareC, bareNode, "ratio", "goal"];
  const rows = run.rows.map((row) => [
    row.title,
    ...[row.ours, row.theirs, row.bareC, row.bareNode].map((value) => quantity(value, row.unit)),
    ratioOf(row),
    `${row.goal ?? ""}${row.met === null ? "" : row.met ? ": met" : ": missed"}`,
  ]);
  return ["", ...textTable([head, ...rows]), "", ...notesOf(run)].join("\n");
}

/** Columns side by side, all but the first one flush right. */
export function textTable(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
  return table.map((row) => line(row).join("  ").trimEnd());
}

/** The runs on all Nodes as a part of a Markdown page: the others' figures are of the first run, the newest Node's. */
export function asMarkdown(runs: readonly TableRun[]): string {
  const [first] = runs;
  if (first === undefined) return "Nothing was measured yet.";
  const nodes = runs.map(({ node }) => `Node ${majorVersion(node)}`);
  const { theirs, bareC, bareNode } = subjectNames;
  const head = ["", ...nodes, theirs, bareC, bareNode, ...nodes.map((node) => `${node} to C`), "goal"];
  const rows = first.rows.map((row) => {
    const all = runs.map(({ rows }) => rows.find(({ title }) => title === row.title));
    const values = [...all.map((one) => one?.ours ?? null), row.theirs, row.bareC, row.bareNode];
    return [
      row.title,
      ...values.map((value) => quantity(value, row.unit)),
      ...all.map((one) => (one === undefined ? "" : ratioOf(one))),
      goalOf(all.flatMap((one, index) => (one === undefined ? [] : { ...one, node: nodes[index] ?? "" }))),
    ];
  });
  const notes = runs.flatMap((run, index) => notesOf(run).map((note) => `- ${nodes[index]}, ${note}`));
  return [
    ...runs.map((run) => `- ${about(run)}`),
    "",
    ...markdownTable([head, ...rows]),
    ...(notes.length > 0 ? ["", ...notes] : []),
  ].join("\n");
}

/** The last column flush left, as the first. */
export function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const line = (row: readonly string[]): string => `| ${row.join(" | ")} |`;
  const ends = head.map((_, column) => (column === 0 || column === head.length - 1 ? "---" : "--:"));
  return [line(head), `|${ends.join("|")}|`, ...rows.map(line)];
}

export function about({ date, machine, kernel, node, theirs }: Circumstances): string {
  const { processor, cores, memoryGiB } = machine;
  const other = theirs ?? "no C program: its package could not be had";
  return `${date}: ${processor}, ${cores} cores, ${memoryGiB} GiB; Linux ${kernel}; Node ${node}; ${other}.`;
}

function notesOf({ rows }: TableRun): string[] {
  return rows.flatMap(({ title, note }) => (note === null ? [] : [`${title}: ${note}`]));
}

/** A row of each run; their goals may differ. */
function goalOf(rows: readonly (Row & { readonly node: string })[]): string {
  const goals = new Set(rows.map(({ goal }) => goal));
  const [goal] = goals;
  if (goals.size > 1)
    return rows.map(({ node, goal, met }) => `${goal} on ${node}: ${met ? "met" : "missed"}`).join(", ");
  const judged = rows.filter(({ met }) => met !== null);
  if (goal === undefined || goal === null || judged.length === 0) return goal ?? "";
  const missing = judged.filter(({ met }) => met === false).map(({ node }) => node);
  return `${goal}: ${missing.length === 0 ? "met" : `missed on ${missing.join(" and ")}`}`;
}

function ratioOf({ ours, theirs }: Row): string {
  return ours !== null && theirs !== null && theirs > 0 ? `${ratioText(ours / theirs)}×` : "";
}

/** Three digits are more than the machine's noise leaves true. */
export function quantity(value: number | null, unit: string): string {
  if (value === null) return "–";
  // A number without a unit is a count.
  if (unit === "") return value.toLocaleString("en");
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const text = value >= 10_000 ? Math.round(value).toLocaleString("en") : value.toFixed(digits);
  return `${text} ${unit}`;
}

/** Two digits, and no exponent where there are more. */
export function ratioText(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : ratio.toPrecision(2);
}
