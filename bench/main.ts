// What tools/bench.mjs runs in a sandbox when everything is there: measures, prints the table, writes the results.
import { parseArgs } from "node:util";
import { Lab } from "../src/lab/kit/lab.ts";
import { measureLoad, measureReaction } from "./connections.ts";
import {
  type Bench,
  measureCpu,
  measureLatency,
  measureMemory,
  measureStart,
  measureStorm,
  type Plan,
} from "./daemons.ts";
import { measureGrowth } from "./growth.ts";
import { measureLaunch, measureOptions, measureSockets } from "./launching.ts";
import { matrixAsText, measureMatrix } from "./matrix.ts";
import { measureDelivery, measureParsing } from "./netlink.ts";
import { about, asText } from "./report.ts";
import {
  describeRun,
  keep,
  majorVersion,
  type Results,
  type Row,
  readResults,
  writeResults,
} from "./results.ts";
import {
  cpuRows,
  deliveryRows,
  latencyRows,
  launchRows,
  loadRows,
  memoryRows,
  optionRows,
  parsingRows,
  reactionRows,
  socketRows,
  startRows,
  stormRows,
} from "./rows.ts";
import { bareC, bareNode, ours, oursWithPlugin, theirs, theirsWithPlugin } from "./subject.ts";

const full: Plan = {
  latencyRounds: 20,
  latencySamples: 25,
  starts: 20,
  storms: 5,
  stormChanges: 1000,
  cpuRounds: 5,
  cpuCycles: 200,
  memoryCycles: 10_000,
  netlinkRounds: 5,
  netlinkEvents: 200,
  launchRounds: 25,
  loadRate: 5000,
  loadSeconds: 30,
  reactionRounds: 10,
  reactionSamples: 30,
};

const quick: Plan = {
  ...full,
  latencyRounds: 3,
  starts: 4,
  storms: 1,
  cpuRounds: 2,
  cpuCycles: 50,
  memoryCycles: 300,
  netlinkRounds: 1,
  launchRounds: 5,
  loadSeconds: 3,
  reactionRounds: 2,
};

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

const { meter, launch, connections, theirs: directory, "their-plugins": plugins, results: file } = options;
const { "floor-c": floorC, "floor-node": floorNode } = options;
if (
  meter === undefined ||
  launch === undefined ||
  connections === undefined ||
  floorC === undefined ||
  floorNode === undefined ||
  file === undefined
)
  throw new Error("run it by `npm run bench`");
const lab = await Lab.create();
const bench: Bench = {
  lab,
  meter: { path: meter },
  launch,
  connections,
  theirs: directory,
  subjects: directory === undefined ? [ours] : [ours, theirs(directory)],
  pluginSubjects: [
    oursWithPlugin,
    ...(directory === undefined || plugins === undefined ? [] : [theirsWithPlugin(directory, plugins)]),
  ],
  floors: [bareC(floorC), bareNode(floorNode)],
  plan: options.quick ? quick : full,
};

const run = describeRun(options["theirs-name"] ?? null);
const results = readResults(file);
if (options.quick) process.stdout.write("A quick run: too few samples to rely on.\n");
process.stdout.write(`${about(run)}\n`);
const changed = options.matrix ? await matrix() : options.growth ? await growth() : await table();
await lab.close();
if (!options.quick) writeResults(file, changed);

async function table(): Promise<Results> {
  const table = { ...run, rows: await measureTable() };
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

async function measureTable(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const family of [4, 6] as const)
    await step(`latency, IPv${family}`, async () => latencyRows(await measureLatency(bench, family), family));
  await step("start", async () => startRows(await measureStart(bench)));
  await step("storm", async () => stormRows(await measureStorm(bench), bench.plan));
  await step("CPU", async () => cpuRows(await measureCpu(bench), bench.plan));
  await step("netlink", async () => [
    ...deliveryRows(await measureDelivery(bench)),
    ...parsingRows(await measureParsing(bench)),
  ]);
  await step("mptcpize", async () => [
    ...launchRows(await measureLaunch(bench)),
    ...socketRows(await measureSockets(bench)),
    ...optionRows(await measureOptions(bench)),
  ]);
  await step("reaction of path managers", async () => reactionRows(await measureReaction(bench)));
  await step("load of path managers", async () => loadRows(await measureLoad(bench), bench.plan));
  await step("memory", async () => memoryRows(await measureMemory(bench), bench.plan));
  return rows;

  async function step(what: string, measure: () => Promise<Row[]>): Promise<void> {
    process.stderr.write(`measuring ${what}\n`);
    rows.push(...(await measure()));
  }
}
