// What tools/bench.mjs runs in a sandbox when everything is there: measures, prints, and keeps the results.
import { parseArgs } from "node:util";
import { Lab } from "../src/lab/kit/lab.ts";
import type { Bench } from "./daemons.ts";
import { measureGrowth } from "./growth.ts";
import { measureMatrix } from "./matrix.ts";
import { matrixAsText } from "./matrix-report.ts";
import { about, asText } from "./report.ts";
import { describeRun, keep, majorVersion, type Results, readResults, writeResults } from "./results.ts";
import { bareC, bareNode, ours, oursWithPlugin, theirs, theirsWithPlugin } from "./subject.ts";
import { full, measureTable, quick } from "./table.ts";

const { values: options } = parseArgs({
  options: {
    meter: { type: "string" },
    launch: { type: "string" },
    connections: { type: "string" },
    "floor-c": { type: "string" },
    "floor-node": { type: "string" },
    /** Where the C program's plugin is, compiled. */
    "their-plugins": { type: "string" },
    /** Where the C programs' packages are unpacked, and what to call them. */
    theirs: { type: "string" },
    "theirs-name": { type: "string" },
    /** What is measured in place of the table. */
    matrix: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    /** Earlier results, and where this run's go. */
    results: { type: "string" },
  },
});

const { theirs: directory, "their-plugins": plugins } = options;
const lab = await Lab.create();
const bench: Bench = {
  lab,
  meter: { path: given("meter") },
  launch: given("launch"),
  connections: given("connections"),
  theirs: directory,
  subjects: directory === undefined ? [ours] : [ours, theirs(directory)],
  pluginSubjects: [
    oursWithPlugin,
    ...(directory === undefined || plugins === undefined ? [] : [theirsWithPlugin(directory, plugins)]),
  ],
  floors: [bareC(given("floor-c")), bareNode(given("floor-node"))],
  plan: options.quick ? quick : full,
};
const file = given("results");
const run = describeRun(options["theirs-name"] ?? null);
const results = readResults(file);
if (options.quick) process.stdout.write("A quick run: too few samples to rely on.\n");
process.stdout.write(`${about(run)}\n`);
const changed = options.matrix ? await matrix() : options.growth ? await growth() : await table();
await lab.close();
if (!options.quick) writeResults(file, changed);

async function table(): Promise<Results> {
  const table = { ...run, rows: await measureTable(bench) };
  process.stdout.write(`${asText(table)}\n`);
  return { ...results, table: keep(results.table, table) };
}

async function matrix(): Promise<Results> {
  const matrix = { ...run, cases: await measureMatrix(bench, options.quick) };
  const isSameNode = ({ node }: { node: string }) => majorVersion(node) === majorVersion(run.node);
  process.stdout.write(`${matrixAsText(matrix, results.matrix.find(isSameNode))}\n`);
  return { ...results, matrix: keep(results.matrix, matrix) };
}

async function growth(): Promise<Results> {
  const growth = { ...run, ...(await measureGrowth(bench, options.quick)) };
  console.table(growth.addresses);
  console.table(growth.connections);
  return { ...results, growth: keep(results.growth, growth) };
}

function given(name: "meter" | "launch" | "connections" | "floor-c" | "floor-node" | "results"): string {
  const { [name]: value } = options;
  if (value === undefined) throw new Error("run it by `npm run bench`");
  return value;
}
