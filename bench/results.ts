import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import * as v from "valibot";

const number = v.nullable(v.number());

/** Null: there is none to compare with. */
const rowSchema = v.object({
  title: v.string(),
  unit: v.string(),
  ours: number,
  /** The C program's. */
  theirs: number,
  /** Those of loops that do the least that is possible (bench/floor.c, bench/floor.ts). */
  bareC: number,
  bareNode: number,
  /** What is asked for, in words; null: nothing. */
  goal: v.nullable(v.string()),
  met: v.nullable(v.boolean()),
  note: v.nullable(v.string()),
});

/** A case of the matrix: µs from an address to its endpoint. */
const caseSchema = v.object({ title: v.string(), ours: number, p95: number, theirs: number, bareC: number });

/** So many addresses on another interface. */
const addressesSchema = v.object({
  count: v.number(),
  /** µs until one more is an endpoint. */
  ours: v.number(),
  bareC: v.number(),
  /** MiB. */
  memory: v.number(),
  /** Milliseconds of CPU. */
  reading: v.number(),
});

/** So many connections, with a path manager. */
const connectionsSchema = v.object({
  count: v.number(),
  /** MiB. */
  memory: v.number(),
  /** µs of CPU for one more connection. */
  cpu: v.number(),
  /** Milliseconds until mptcpd, started anew, knows of all of them. */
  start: v.number(),
});

/** What a run was made with. */
const circumstances = {
  date: v.string(),
  machine: v.object({ processor: v.string(), cores: v.number(), memoryGiB: v.number() }),
  kernel: v.string(),
  node: v.string(),
  /** Debian's package and version of the C program; null: it could not be had. */
  theirs: v.nullable(v.string()),
};

const resultsSchema = v.object({
  table: v.array(v.object({ ...circumstances, rows: v.array(rowSchema) })),
  matrix: v.array(v.object({ ...circumstances, cases: v.array(caseSchema) })),
  growth: v.array(
    v.object({
      ...circumstances,
      addresses: v.array(addressesSchema),
      connections: v.array(connectionsSchema),
    }),
  ),
});

/** For each part the last run on each Node, by its major version: the newest Node first. */
export type Results = v.InferOutput<typeof resultsSchema>;
export type TableRun = Results["table"][number];
export type MatrixRun = Results["matrix"][number];
export type GrowthRun = Results["growth"][number];
export type Row = TableRun["rows"][number];
export type Case = MatrixRun["cases"][number];
export type WithAddresses = GrowthRun["addresses"][number];
export type WithConnections = GrowthRun["connections"][number];
export type Circumstances = Omit<TableRun, "rows">;

export function describeRun(theirs: string | null): Circumstances {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      processor: processors[0]?.model.trim() ?? "unknown",
      cores: processors.length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
    },
    kernel: execFileSync("uname", ["-r"], { encoding: "utf8" }).trim(),
    node: process.versions.node,
    theirs,
  };
}

export function readResults(file: string): Results {
  if (!existsSync(file)) return { table: [], matrix: [], growth: [] };
  return v.parse(resultsSchema, JSON.parse(readFileSync(file, "utf8")));
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

/** The runs with one that takes the place of the same Node's. */
export function keep<Run extends { readonly node: string }>(runs: readonly Run[], run: Run): Run[] {
  const others = runs.filter(({ node }) => majorVersion(node) !== majorVersion(run.node));
  return [...others, run].sort((one, other) => majorVersion(other.node) - majorVersion(one.node));
}

export function majorVersion(node: string): number {
  return Number(node.split(".")[0]);
}
