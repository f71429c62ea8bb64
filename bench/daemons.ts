import type { Lab } from "../src/lab/kit/lab.ts";
import { type Meter, runMeter } from "./meter.ts";
import {
  DEVICE,
  FIRST_ADDRESSES,
  type Floor,
  freshHost,
  type PluginSubject,
  type Running,
  run,
  type Subject,
  type SubjectName,
} from "./subject.ts";
import { cpuTime, type Memory, memoryAtRest } from "./usage.ts";

/** How much is measured. */
export type Plan = {
  readonly latencyRounds: number;
  readonly latencySamples: number;
  readonly starts: number;
  readonly storms: number;
  readonly stormChanges: number;
  readonly cpuRounds: number;
  readonly cpuCycles: number;
  readonly memoryCycles: number;
  readonly netlinkRounds: number;
  readonly netlinkEvents: number;
  readonly launchRounds: number;
  /** Connections a second, and for how long. */
  readonly loadRate: number;
  readonly loadSeconds: number;
  readonly reactionRounds: number;
  readonly reactionSamples: number;
};

/** What was read of each subject; times in µs. */
export type PerSubject<T> = ReadonlyMap<SubjectName, T>;

export type Latency = { readonly add: number[]; readonly remove: number[]; late: number };
export type Storm = { readonly right: number; readonly awake: number };
export type MemoryUse = { readonly idle: Memory; readonly early: Memory; readonly late: Memory };

/** What the measurements need in common. */
export type Bench = {
  readonly lab: Lab;
  readonly meter: Meter;
  /** The compiled bench/launch.c. */
  readonly launch: string;
  /** Where the C programs' packages are unpacked. */
  readonly theirs: string | undefined;
  /** The compiled bench/connections.c. */
  readonly connections: string;
  readonly subjects: readonly Subject[];
  readonly pluginSubjects: readonly PluginSubject[];
  /** Further ones where a floor can be measured. */
  readonly floors: readonly Floor[];
  readonly plan: Plan;
};

/** The first of the addresses that a measurement adds. */
export const ADDED = { 4: "10.77.1.1", 6: "fd77::1:1" } as const;

const MILLISECONDS_BETWEEN = 10;
/** From adding an address to its endpoint, and from removing it to the endpoint's end; the subjects in turn. */
export async function measureLatency(bench: Bench, family: 4 | 6): Promise<PerSubject<Latency>> {
  const { plan, meter } = bench;
  const daemons = await runAll(bench, withFloors(bench), `latency${family}`);
  const turns = { rounds: plan.latencyRounds, samples: plan.latencySamples };
  const latencies = await latenciesOf(meter, daemons, { ...turns, family, gap: MILLISECONDS_BETWEEN });
  await stopAll(daemons);
  return latencies;
}

/** In so many rounds so many samples of each, with a gap of milliseconds. */
export type Turns = {
  readonly rounds: number;
  readonly samples: number;
  readonly family: 4 | 6;
  readonly gap: number;
};

export async function latenciesOf(
  meter: Meter,
  daemons: readonly Running[],
  { rounds, samples, family, gap }: Turns,
): Promise<PerSubject<Latency>> {
  const latencies = new Map<SubjectName, Latency>();
  for (let round = 0; round < rounds; round++)
    for (const { subject, host } of daemons) {
      const readings = await runMeter(meter, host, "latency", samples, ADDED[family], DEVICE, gap);
      const latency = latencies.get(subject.name) ?? { add: [], remove: [], late: 0 };
      latency.add.push(...readings.all("add"));
      latency.remove.push(...readings.all("remove"));
      latency.late += readings.one("late");
      latencies.set(subject.name, latency);
    }
  return latencies;
}

/** From starting the program to the endpoint of an address that was there before. */
export async function measureStart(bench: Bench): Promise<PerSubject<number[]>> {
  const { lab, meter, plan } = bench;
  const subjects = withFloors(bench);
  const times = new Map(subjects.map(({ name }): [SubjectName, number[]] => [name, []]));
  const host = await freshHost(lab, "start");
  for (let round = 0; round < plan.starts; round++) {
    for (const subject of subjects) {
      const readings = await runMeter(meter, host, "start", FIRST_ADDRESSES[0], ...subject.command(lab));
      times.get(subject.name)?.push(readings.one("start"));
    }
  }
  return times;
}

/**
 * A burst of changes, each time against a fresh daemon: when its endpoints were right, and whether it still listens.
 */
export async function measureStorm(bench: Bench): Promise<PerSubject<Storm[]>> {
  const { lab, meter, subjects, plan } = bench;
  const storms = new Map(subjects.map(({ name }): [SubjectName, Storm[]] => [name, []]));
  for (let round = 0; round < plan.storms; round++) {
    for (const subject of subjects) {
      const daemon = await run(lab, subject, `storm-${subject.name}-${round}`);
      const readings = await runMeter(meter, daemon.host, "storm", plan.stormChanges, ADDED[4], DEVICE);
      storms.get(subject.name)?.push({ right: readings.one("right"), awake: readings.one("awake") });
      await stopAll([daemon]);
    }
  }
  return storms;
}

/** Milliseconds of CPU for one addition and removal that was waited for; one reading a round. */
export async function measureCpu(bench: Bench): Promise<PerSubject<number[]>> {
  const { meter, plan } = bench;
  const subjects = withFloors(bench);
  const times = new Map(subjects.map(({ name }): [SubjectName, number[]] => [name, []]));
  const daemons = await runAll(bench, subjects, "cpu");
  for (let round = 0; round < plan.cpuRounds; round++) {
    for (const { subject, host, process: daemon } of daemons) {
      const before = cpuTime(daemon.pid);
      const readings = await runMeter(meter, host, "latency", plan.cpuCycles, ADDED[4], DEVICE, 0);
      const followed = plan.cpuCycles - readings.one("late");
      // One that has become deaf does nothing, and takes no time.
      if (followed > plan.cpuCycles / 2)
        times.get(subject.name)?.push((cpuTime(daemon.pid) - before) / followed);
    }
  }
  await stopAll(daemons);
  return times;
}

/**
 * Memory when idle, after a tenth of the cycles, and after all of them, each time at rest; the subjects at once, since
 * time is not read.
 */
export async function measureMemory(bench: Bench): Promise<PerSubject<MemoryUse>> {
  const { meter, plan } = bench;
  const daemons = await runAll(bench, withFloors(bench), "memory");
  const early = Math.round(plan.memoryCycles / 10);
  const uses = await Promise.all(
    daemons.map(async ({ subject, host, process: daemon }): Promise<[SubjectName, MemoryUse]> => {
      const cycle = (count: number) => runMeter(meter, host, "latency", count, ADDED[4], DEVICE, 0);
      const idle = await memoryAtRest(daemon.pid);
      await cycle(early);
      const afterEarly = await memoryAtRest(daemon.pid);
      await cycle(plan.memoryCycles - early);
      return [subject.name, { idle, early: afterEarly, late: await memoryAtRest(daemon.pid) }];
    }),
  );
  await stopAll(daemons);
  return new Map(uses);
}

function withFloors({ subjects, floors }: Bench): Subject[] {
  return [...subjects, ...floors.map(({ endpoints }) => endpoints)];
}

async function runAll({ lab }: Bench, subjects: readonly Subject[], what: string): Promise<Running[]> {
  const daemons: Running[] = [];
  for (const subject of subjects) daemons.push(await run(lab, subject, `${what}-${subject.name}`));
  return daemons;
}

export async function stopAll(daemons: readonly Running[]): Promise<void> {
  for (const { process: daemon } of daemons) await daemon.stop();
}
