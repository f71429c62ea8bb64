import type { Host } from "../src/lab/kit/host.ts";
import type { Lab } from "../src/lab/kit/lab.ts";
import type { LabProcess } from "../src/lab/kit/lab-process.ts";
import { waitFor } from "../src/lab/kit/wait.ts";
import type { Bench, PerSubject } from "./daemons.ts";
import { parseReadings, type Readings } from "./meter.ts";
import type { PluginOptions, PluginSubject, SubjectName } from "./subject.ts";
import { cpuTime, type Memory, memoryAtRest, memoryOf } from "./usage.ts";

/** What a plugin heard of a load of short connections, and what that cost. */
export type Load = {
  /** Connections that were made, and ends of connections: each is in the same namespace, and counts for the plugin. */
  readonly made: number;
  readonly created: number;
  readonly closed: number;
  /** Milliseconds of CPU, of all threads, for 10,000 connections. */
  readonly cpu: number;
  readonly before: Memory;
  readonly after: Memory;
  /** The longest time for which the event loop stood still, ms; not known of the C program. */
  readonly pause: number | undefined;
};

/** Addresses of the loopback device. */
const FIRST = "10.77.9.2";
const SECOND = "10.77.9.3";
const SERVER_ADDRESSES = 16;

/** Short connections at a rate, with a plugin that counts them; the subjects one after the other. */
export async function measureLoad(bench: Bench): Promise<PerSubject<Load>> {
  const loads = new Map<SubjectName, Load>();
  for (const subject of withFloors(bench)) {
    const { host, daemon } = await start(bench.lab, subject, `load-${subject.name}`);
    const before = await memoryAtRest(daemon.pid);
    const cpu = cpuTime(daemon.pid);
    const words = ["load", bench.plan.loadRate, bench.plan.loadSeconds].map(String);
    const { one } = parseReadings(await host.run(bench.connections, ...words));
    const spent = cpuTime(daemon.pid) - cpu;
    const after = memoryOf(daemon.pid);
    const made = one("opened") - one("failed");
    const [, created, closed, pause] = await countsAtEnd(daemon);
    const counts = { made, created: Number(created), closed: Number(closed) };
    loads.set(subject.name, {
      ...{ ...counts, before, after, cpu: (spent / made) * 10_000 },
      pause: pause === undefined ? undefined : Number(pause),
    });
  }
  return loads;
}

/** µs from the packet that establishes a connection to the SYN of the subflow that a plugin adds; in turns. */
export async function measureReaction(bench: Bench): Promise<PerSubject<number[]>> {
  const { plan, lab } = bench;
  const pluginSubjects = withFloors(bench);
  const times = new Map(pluginSubjects.map(({ name }): [SubjectName, number[]] => [name, []]));
  const running = new Map<SubjectName, { host: Host; daemon: LabProcess }>();
  for (const subject of pluginSubjects)
    running.set(subject.name, await start(lab, subject, `react-${subject.name}`, { from: SECOND }));
  for (let round = 0; round < plan.reactionRounds; round++)
    for (const [name, { host }] of running) {
      const words = ["react", String(plan.reactionSamples), FIRST, SECOND];
      const readings: Readings = parseReadings(await host.run(bench.connections, ...words));
      times.get(name)?.push(...readings.all("reaction").filter((time) => time >= 0));
    }
  for (const { daemon } of running.values()) await daemon.stop();
  return times;
}

function withFloors({ pluginSubjects, floors }: Bench): PluginSubject[] {
  return [...pluginSubjects, ...floors.map(({ subflows }) => subflows)];
}

/** A daemon in a host of its own, whose connections are made on the loopback device. */
export async function start(lab: Lab, subject: PluginSubject, name: string, options: PluginOptions = {}) {
  const host = await hostOfConnections(lab, name);
  // Ours sets it by itself; others leave that to others.
  if (subject.name !== "ours") await host.sysctl("net.mptcp.pm_type", 1);
  const [command, ...args] = subject.command(lab, options);
  const daemon = host.spawn(command, args);
  if (subject.name === "ours") await daemon.waitForLine(/^notice: ready/);
  else await waitFor(`${subject.name} to listen`, async () => listensForEvents(host));
  return { host, daemon, command: [command, ...args] as const };
}

/** A host with addresses enough for all the connections. */
async function hostOfConnections(lab: Lab, name: string): Promise<Host> {
  const host = await lab.host(name);
  const targets = Array.from({ length: SERVER_ADDRESSES }, (_, index) => `127.1.0.${index + 1}`);
  await host.ipBatch([FIRST, SECOND, ...targets].map((address) => `addr add ${address}/32 dev lo`));
  return host;
}

/** Whether somebody hears events of generic netlink in the host: only ours says when it is ready. */
async function listensForEvents(host: Host): Promise<boolean> {
  // Its groups are the fourth column, as a mask.
  const sockets = (await host.run("cat", "/proc/net/netlink"))
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return sockets.some(
    ([, protocol, , groups = "0"]) => protocol === "16" && Number.parseInt(groups, 16) !== 0,
  );
}

async function countsAtEnd(daemon: LabProcess): Promise<RegExpMatchArray> {
  await daemon.stop();
  return daemon.waitForLine(/created (\d+) closed (\d+)(?: left \d+ pause (\d+))?/);
}
