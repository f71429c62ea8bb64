import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import * as v from "valibot";

const rowSchema = v.object({
  title: v.string(),
  unit: v.string(),
  ours: v.nullable(v.number()),
  /** The C program's; null where there is none to compare with. */
  theirs: v.nullable(v.number()),
  /** What is asked for, in words; null: nothing. */
  goal: v.nullable(v.string()),
  met: v.nullable(v.boolean()),
  note: v.nullable(v.string()),
});

const resultsSchema = v.object({
  date: v.string(),
  machine: v.object({ processor: v.string(), cores: v.number(), memoryGiB: v.number() }),
  kernel: v.string(),
  node: v.string(),
  /** Debian's package and version of the C program; null: it could not be had. */
  theirs: v.nullable(v.string()),
  quick: v.boolean(),
  rows: v.array(rowSchema),
});

export type Row = v.InferOutput<typeof rowSchema>;
export type Results = v.InferOutput<typeof resultsSchema>;

export function describeRun(run: Pick<Results, "theirs" | "quick" | "rows">): Results {
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
    ...run,
  };
}

export function readResults(file: string): Results {
  return v.parse(resultsSchema, JSON.parse(readFileSync(file, "utf8")));
}
