import { about, markdownTable, quantity, ratioText, textTable } from "./report.ts";
import { type Case, type MatrixRun, majorVersion } from "./results.ts";

/** A ratio that is beyond it is more than noise. */
const SLOWER = 1.15;

/** For a terminal, beside the record: an earlier run on the same Node. */
export function matrixAsText(run: MatrixRun, record: MatrixRun | undefined): string {
  const head = [
    "µs from address to endpoint",
    "p50",
    "p95",
    "C, p50",
    "bare C loop, p50",
    "ratio to it",
    "to record",
  ];
  const compared = run.cases.map((one) => ({ one, change: changeOf(one, record) }));
  const rows = compared.map(({ one, change }) => [
    ...cellsOf(one),
    floorRatio(one),
    change === undefined ? "" : `${ratioText(change)}×`,
  ]);
  const slower = compared.filter(({ change }) => change !== undefined && change > SLOWER);
  const verdict = slower.map(
    ({ one, change = 1 }) => `slower than recorded, ${ratioText(change)}×: ${one.title}`,
  );
  return [...textTable([head, ...rows]), "", ...verdict].join("\n");
}

/** How many times as long as recorded, both as ratios to the bare loop of the same run: machines differ. */
export function changeOf(one: Case, record: MatrixRun | undefined): number | undefined {
  const before = record?.cases.find(({ title }) => title === one.title);
  const [now, then] = [ratioToFloor(one), before && ratioToFloor(before)];
  return now === undefined || then === undefined ? undefined : now / then;
}

/** As a part of a Markdown page: figures of the newest Node, ratios of all. */
export function matrixAsMarkdown(runs: readonly MatrixRun[]): string {
  const [first] = runs;
  if (first === undefined) return "Nothing was measured yet.";
  const nodes = runs.map(({ node }) => `Node ${majorVersion(node)}`);
  const head = [
    "",
    `${nodes[0]}, p50`,
    "p95",
    "C, p50",
    "bare C loop, p50",
    ...nodes.map((node) => `${node} to the loop`),
  ];
  const rows = first.cases.map((one) => [
    ...cellsOf(one),
    ...runs.map(({ cases }) => {
      const same = cases.find(({ title }) => title === one.title);
      return same ? floorRatio(same) : "";
    }),
  ]);
  return [...runs.map((run) => `- ${about(run)}`), "", ...markdownTable([head, ...rows])].join("\n");
}

function cellsOf({ title, ours, p95, theirs, bareC }: Case): string[] {
  return [title, ...[ours, p95, theirs, bareC].map((value) => quantity(value, "µs"))];
}

function floorRatio(one: Case): string {
  const ratio = ratioToFloor(one);
  return ratio === undefined ? "" : `${ratioText(ratio)}×`;
}

function ratioToFloor({ ours, bareC }: Case): number | undefined {
  return ours === null || bareC === null ? undefined : ours / bareC;
}
