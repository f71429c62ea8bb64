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
import { measureLaunch, measureOptions, measureSockets } from "./launching.ts";
import { measureDelivery, measureParsing } from "./netlink.ts";
import type { Row } from "./results.ts";
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

export const full: Plan = {
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

export const quick: Plan = {
  ...full,
  latencyRounds: 2,
  starts: 3,
  storms: 1,
  cpuRounds: 2,
  cpuCycles: 50,
  memoryCycles: 300,
  netlinkRounds: 1,
  launchRounds: 5,
  loadSeconds: 2,
  reactionRounds: 1,
};

/** All rows of the table, one measurement after the other. */
export async function measureTable(bench: Bench): Promise<Row[]> {
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
