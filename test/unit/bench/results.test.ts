import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { changeOf, matrixAsText } from "../../../bench/matrix-report.ts";
import { asMarkdown } from "../../../bench/report.ts";
import { type Case, type Circumstances, keep, type MatrixRun, type Row } from "../../../bench/results.ts";

function runOn(node: string): Circumstances {
  const machine = { processor: "P", cores: 2, memoryGiB: 4 };
  return { date: "2026-01-01", machine, kernel: "6.1", node, theirs: null };
}

function row(more: Partial<Row>): Row {
  const values = { ours: 200, theirs: 100, bareC: 80, bareNode: null };
  return { title: "a line", unit: "µs", ...values, goal: "≤ 3×", met: true, note: null, ...more };
}

function oneCase(more: Partial<Case>): Case {
  return { title: "base", ours: 200, p95: 300, theirs: null, bareC: 100, ...more };
}

const matrixOf = (...cases: Case[]): MatrixRun => ({ ...runOn("24.1.0"), cases });

describe("the results of benchmarks", () => {
  it("keep the last run on each Node, the newest Node first", () => {
    const runs = [runOn("24.1.0"), runOn("20.19.0")];
    assert.deepEqual(
      keep(runs, runOn("20.20.1")).map(({ node }) => node),
      ["24.1.0", "20.20.1"],
    );
    assert.deepEqual(
      keep(runs, runOn("100.0.0")).map(({ node }) => node),
      ["100.0.0", "24.1.0", "20.19.0"],
    );
  });
});

describe("the table of benchmarks", () => {
  it("has figures and ratios of each Node, and the bare loops of the newest one", () => {
    const runs = [
      { ...runOn("24.1.0"), rows: [row({})] },
      { ...runOn("20.1.0"), rows: [row({ ours: 350, met: false, theirs: 70, bareC: 1 })] },
    ];
    const line =
      "| a line | 200 µs | 350 µs | 100 µs | 80.0 µs | – | 2.0× | 5.0× | ≤ 3×: missed on Node 20 |";
    assert.ok(asMarkdown(runs).split("\n").includes(line), asMarkdown(runs));
  });

  it("leaves out what a run does not have", () => {
    const runs = [
      { ...runOn("24.1.0"), rows: [row({ theirs: null })] },
      { ...runOn("20.1.0"), rows: [] },
    ];
    const line = "| a line | 200 µs | – | – | 80.0 µs | – |  |  | ≤ 3×: met |";
    assert.ok(asMarkdown(runs).split("\n").includes(line), asMarkdown(runs));
  });
});

describe("the matrix of benchmarks", () => {
  it("compares with the record by ratios to the bare loop, since machines differ", () => {
    const record = matrixOf(oneCase({}));
    assert.equal(changeOf(oneCase({ ours: 400, bareC: 200 }), record), 1);
    assert.equal(changeOf(oneCase({ ours: 400, bareC: 100 }), record), 2);
    assert.equal(changeOf(oneCase({ title: "a new one" }), record), undefined);
    assert.equal(changeOf(oneCase({}), undefined), undefined);
  });

  it("says which cases got slower", () => {
    const record = matrixOf(oneCase({}), oneCase({ title: "IPv6" }));
    const lines = matrixAsText(
      matrixOf(oneCase({ ours: 210 }), oneCase({ title: "IPv6", ours: 300 })),
      record,
    );
    assert.deepEqual(
      lines.split("\n").filter((line) => line.startsWith("slower")),
      ["slower than recorded, 1.5×: IPv6"],
    );
  });
});
