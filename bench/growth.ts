import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../src/base/errors.ts";
import type { Host } from "../src/lab/kit/host.ts";
import type { LabProcess } from "../src/lab/kit/lab-process.ts";
import { start } from "./connections.ts";
import { type Bench, latenciesOf, stopAll } from "./daemons.ts";
import { parseReadings } from "./meter.ts";
import type { WithAddresses, WithConnections } from "./results.ts";
import { median } from "./statistics.ts";
import { OTHER_DEVICE, ours, oursWithPlugin, type Running, run } from "./subject.ts";
import { cpuTime, memoryAtRest } from "./usage.ts";

type Plan = {
  readonly addresses: readonly number[];
  readonly connections: readonly number[];
  readonly rounds: number;
  readonly samples: number;
  /** Full readings of the kernel that are waited for. */
  readonly readings: number;
};

const full: Plan = {
  addresses: [1, 10, 100, 1000],
  connections: [10, 100, 1000, 10_000, 100_000],
  ...{ rounds: 10, samples: 20, readings: 3 },
};
const quick: Plan = { addresses: [1, 100], connections: [10, 1000], rounds: 1, samples: 5, readings: 1 };

const GAP_MS = 20;
/** Milliseconds: mptcpd reads everything again so often. */
const READING_PERIOD = 30_000;
/** Endpoints of the other interface: the kernel has 8 slots, of which some stay free. */
const MOST = 4;
const CONFIGURATION = ["[path crowd]", `match-interface=${OTHER_DEVICE}`, `max=${MOST}`];

/** A process may not have many files open: each holds so many connections, both ends of each. */
const PAIRS_A_PROCESS = 2000;
const FIRST_PORT = 7001;
/** Short connections a second, beside those that are held, and seconds of them a round. */
const RATE = 100;
const SECONDS = 2;
/** With fewer, a failure is not for want of room. */
const FEWEST_CONNECTIONS = 10_000;
/** Milliseconds: what waits for many connections. */
const DEADLINE = 120_000;

export async function measureGrowth(
  bench: Bench,
  isQuick: boolean,
): Promise<{ addresses: WithAddresses[]; connections: WithConnections[] }> {
  const plan = isQuick ? quick : full;
  const addresses = await measureAddresses(bench, plan);
  const connections: WithConnections[] = [];
  for (const count of plan.connections) {
    const measured = await measureMostConnections(bench, plan, count);
    connections.push(measured);
    if (measured.count < count) break;
  }
  return { addresses, connections };
}

/** Daemons beside other addresses, in turn; their readings at once, since no time of these is read but that of CPU. */
async function measureAddresses(bench: Bench, plan: Plan): Promise<WithAddresses[]> {
  const measured: { count: number; daemon: Running; memory: number; times: [number, number] }[] = [];
  for (const count of plan.addresses) {
    process.stderr.write(`measuring ${count} addresses\n`);
    const { daemon, others } = await runBeside(bench, count);
    const memory = (await memoryAtRest(daemon.process.pid)).privateDirty;
    const turns = { rounds: plan.rounds, samples: plan.samples, family: 4, gap: GAP_MS } as const;
    const latencies = await latenciesOf(bench.meter, [daemon, ...others], turns);
    const time = (name: "ours" | "bareC") => median(latencies.get(name)?.add ?? []);
    measured.push({ count, daemon, memory, times: [time("ours"), time("bareC")] });
    await stopAll(others);
  }
  process.stderr.write("measuring full readings\n");
  const used = () => measured.map(({ daemon }) => cpuTime(daemon.process.pid));
  const before = used();
  await delay(plan.readings * READING_PERIOD);
  const after = used();
  await stopAll(measured.map(({ daemon }) => daemon));
  return measured.map(({ count, memory, times: [time, bareC] }, index) => ({
    ...{ count, ours: rounded(time), bareC: rounded(bareC) },
    memory: rounded(memory),
    reading: rounded(((after[index] ?? 0) - (before[index] ?? 0)) / plan.readings),
  }));
}

async function runBeside({ lab, floors }: Bench, count: number) {
  const beside = { others: count, configuration: CONFIGURATION };
  const more = Math.min(count, MOST);
  const daemon = await run(lab, ours, `beside${count}-ours`, { beside, more });
  const others: Running[] = [];
  for (const { endpoints } of floors)
    if (endpoints.name === "bareC")
      others.push(await run(lab, endpoints, `beside${count}-bareC`, { beside }));
  return { daemon, others };
}

/** With so many connections, or half as many for as long as it is not possible here; the reason goes to stderr. */
async function measureMostConnections(bench: Bench, plan: Plan, count: number): Promise<WithConnections> {
  try {
    return await measureConnections(bench, plan, count);
  } catch (error) {
    if (count <= FEWEST_CONNECTIONS) throw error;
    process.stderr.write(`${count} connections are not possible here: ${messageOf(error)}\n`);
    return measureMostConnections(bench, plan, count / 2);
  }
}

/** Both ends of each connection are in the daemon's namespace, and are two connections to it. */
async function measureConnections(bench: Bench, plan: Plan, count: number): Promise<WithConnections> {
  process.stderr.write(`measuring ${count} connections\n`);
  const options = { expect: count };
  const { host, daemon, command } = await start(bench.lab, oursWithPlugin, `with${count}`, options);
  const running = [daemon];
  try {
    await hold(bench, host, count / 2, running);
    await daemon.waitForLine(/knows \d+/, { deadlineMs: DEADLINE });
    const memory = (await memoryAtRest(daemon.pid)).privateDirty;
    const cpu: number[] = [];
    for (let round = 0; round < plan.rounds; round++) cpu.push(await costOfOne(bench, host, daemon));
    await daemon.stop(DEADLINE);
    requireOneThread(daemon);

    const [program, ...args] = command;
    const begun = performance.now();
    const successor = host.spawn(program, args);
    running.push(successor);
    await successor.waitForLine(/^notice: ready/, { deadlineMs: DEADLINE });
    const started = performance.now() - begun;
    requireOneThread(successor);
    return { count, memory: rounded(memory), cpu: rounded(median(cpu)), start: rounded(started) };
  } finally {
    for (const one of running) await one.kill();
  }
}

/** A path managers' thread that was replaced has begun anew: what was measured is no figure. */
function requireOneThread({ output }: LabProcess): void {
  if (output.includes("is replaced")) throw new Error(output);
}

async function hold({ connections }: Bench, host: Host, pairs: number, running: LabProcess[]): Promise<void> {
  for (let left = pairs, port = FIRST_PORT; left > 0; left -= PAIRS_A_PROCESS, port++) {
    const holder = host.spawn(connections, ["hold", Math.min(left, PAIRS_A_PROCESS), port].map(String));
    running.push(holder);
    await holder.waitForLine(/^held/, { deadlineMs: DEADLINE });
  }
}

/** µs of CPU for a connection that opens and closes. */
async function costOfOne({ connections }: Bench, host: Host, daemon: LabProcess): Promise<number> {
  const before = cpuTime(daemon.pid);
  const { one } = parseReadings(await host.run(connections, "load", String(RATE), String(SECONDS)));
  const ends = 2 * (one("opened") - one("failed"));
  return ((cpuTime(daemon.pid) - before) / ends) * 1000;
}

/** Four digits are more than noise leaves true. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
