import type { Load } from "./connections.ts";
import type { Latency, MemoryUse, PerSubject, Plan, Storm } from "./daemons.ts";
import type { OptionTimes, SocketTimes } from "./launching.ts";
import type { Row } from "./results.ts";
import { median, quantile } from "./statistics.ts";
import type { SubjectName } from "./subject.ts";

/** In notes and in heads of tables. */
export const subjectNames: Readonly<Record<SubjectName, string>> = {
  ...{ ours: "ours", theirs: "C", bareC: "bare C loop", bareNode: "bare Node loop" },
};

/** Goals of the project. */
const LATENCY_RATIO = 1.8;
const LATENCY_P95_RATIO = 3;
const CPU_RATIO = 4;
const LOAD_CPU_RATIO = 1.5;
/** Milliseconds. */
const START = 50;
const DELIVERY_RATIO = 2;
const PARSED_PER_SECOND = 150_000;
/** MiB. Node itself needs more with each version. */
const PRIVATE_MEMORY_IDLE = Number.parseInt(process.versions.node, 10) > 20 ? 12 : 9;
const PRIVATE_MEMORY_LATE = 14;
const PRIVATE_MEMORY_MANAGED = 22;
const LAUNCH_RATIO = 1.1;
/** Of a socket that the program itself makes MPTCP; what is beyond it is noise. */
const SOCKET_RATIO = 1.1;
/** Of a setsockopt without the library. */
const OPTION_RATIO = 1.05;
/** MiB: what a garbage-collected heap moves by without growing. */
const GROWTH = 0.5;

/** Of a path manager's answer to an event. */
const REACTION_RATIO = 3;

/** Of all connections: what a program missed costs it nothing, so a ratio to one that missed more says nothing. */
const MOST_MISSED = 0.01;
const DEAF = "no ratio to judge by: C missed most of what it should have handled";

type Get<T> = (reading: T) => number;

export function latencyRows(latencies: PerSubject<Latency>, family: 4 | 6): Row[] {
  const add = `address to endpoint, IPv${family}`;
  const remove = `address gone to endpoint gone, IPv${family}`;
  const { add: count } = latencies.get("ours") ?? { add: [] };
  const note = noteOfLate(latencies, count.length);
  return [
    atMostRatio(
      row(`${add}, p50`, "µs", latencies, (one) => median(one.add), note),
      LATENCY_RATIO,
    ),
    atMostRatio(
      row(`${add}, p95`, "µs", latencies, (one) => quantile(one.add, 0.95)),
      LATENCY_P95_RATIO,
    ),
    row(`${remove}, p50`, "µs", latencies, (one) => median(one.remove)),
  ];
}

export function startRows(times: PerSubject<number[]>): Row[] {
  return [
    atMost(
      row("start to endpoint, p50", "ms", times, (one) => median(one) / 1000),
      START,
    ),
  ];
}

/** A storm that never became right has no time. */
export function stormRows(storms: PerSubject<Storm[]>, plan: Plan): Row[] {
  const right = (one: Storm[]) => one.flatMap((storm) => (storm.right < 0 ? [] : storm.right / 1000));
  const awake = (one: Storm[]) => one.filter((storm) => storm.awake >= 0).length;
  const say = (name: SubjectName, words: string): string[] => {
    const one = storms.get(name);
    return one
      ? [`${words} right in ${right(one).length} of ${one.length}, heard the next change in ${awake(one)}`]
      : [];
  };
  const note = [...say("ours", "ours"), ...say("theirs", "C")].join("; ");
  const title = `storm of ${plan.stormChanges} changes to the right endpoints, p50`;
  return [row(title, "ms", storms, (one) => median(right(one)), note)];
}

export function cpuRows(times: PerSubject<number[]>, plan: Plan): Row[] {
  const cycles = plan.cpuRounds * plan.cpuCycles;
  const total = (one: number[]): number => median(one) * cycles;
  return [atMostRatio(row(`CPU for ${cycles} additions and removals`, "ms", times, total), CPU_RATIO)];
}

export function memoryRows(uses: PerSubject<MemoryUse>, plan: Plan): Row[] {
  const early = Math.round(plan.memoryCycles / 10);
  const after = `after ${plan.memoryCycles} additions and removals`;
  const growth = row(
    `growth from ${early} to ${plan.memoryCycles}`,
    "MiB",
    uses,
    (one) => one.late.privateDirty - one.early.privateDirty,
  );
  return [
    row("resident memory, idle", "MiB", uses, (one) => one.idle.resident),
    row(`resident memory, ${after}`, "MiB", uses, (one) => one.late.resident),
    atMost(
      row("private memory, idle", "MiB", uses, (one) => one.idle.privateDirty),
      PRIVATE_MEMORY_IDLE,
    ),
    atMost(
      row(`private memory, ${after}`, "MiB", uses, (one) => one.late.privateDirty),
      PRIVATE_MEMORY_LATE,
    ),
    // Nothing is collected later in the others: they do not move.
    atMost({ ...growth, theirs: null, bareC: null, bareNode: null }, GROWTH),
  ];
}

export function deliveryRows(delays: PerSubject<number[]>): Row[] {
  const note = "the C side is a bare epoll loop, not mptcpd";
  return [atMostRatio(row("kernel to callback, p50", "µs", delays, median, note), DELIVERY_RATIO)];
}

export function parsingRows(rates: readonly number[]): Row[] {
  const rate = median(rates);
  const parsed = {
    title: "address messages decoded on one core",
    unit: "/s",
    ours: rate,
    theirs: null,
    bareC: null,
    bareNode: null,
    note: null,
  };
  const goal = `≥ ${PARSED_PER_SECOND.toLocaleString("en")} /s`;
  return [{ ...parsed, goal, met: rate >= PARSED_PER_SECOND }];
}

export function launchRows(times: PerSubject<number[]>): Row[] {
  return [
    atMostRatio(
      row("mptcpize run true, p50", "ms", times, (one) => median(one) / 1000),
      LAUNCH_RATIO,
    ),
  ];
}

export function socketRows(times: SocketTimes): Row[] {
  const { tcp, mptcp, preload, theirs, seccomp } = times;
  const readings = (ours: number[], others: number[] = []) =>
    new Map<SubjectName, number[]>([
      ["ours", ours],
      ["theirs", others],
    ]);
  const note = `by the program itself, TCP takes ${median(tcp).toFixed(2)} µs and MPTCP ${median(mptcp).toFixed(2)} µs`;
  const byPreload = row("socket made MPTCP by preload, p50", "µs", readings(preload, theirs), median, note);
  return [
    {
      ...byPreload,
      goal: `≤ ${SOCKET_RATIO}× by itself`,
      met: median(preload) <= SOCKET_RATIO * median(mptcp),
    },
    row("socket made MPTCP by seccomp, p50", "µs", readings(seccomp), median),
  ];
}

export function optionRows({ mptcp, preload }: OptionTimes): Row[] {
  const readings = new Map<SubjectName, number[]>([["ours", preload]]);
  const note = `without the library ${median(mptcp).toFixed(3)} µs`;
  return [
    {
      ...row("setsockopt that MPTCP takes, by preload, p50", "µs", readings, median, note),
      goal: `≤ ${OPTION_RATIO}× without`,
      met: median(preload) <= OPTION_RATIO * median(mptcp),
    },
  ];
}

export function reactionRows(times: PerSubject<number[]>): Row[] {
  const title = "connection established to SYN of a path manager's subflow";
  return [
    atMostRatio(row(`${title}, p50`, "µs", times, median), REACTION_RATIO),
    row(`${title}, p95`, "µs", times, (one) => quantile(one, 0.95)),
  ];
}

/** Both ends of each connection count: they are in one namespace. */
export function loadRows(loads: PerSubject<Load>, { loadRate, loadSeconds }: Plan): Row[] {
  const rate = `${loadRate.toLocaleString("en")} connections a second for ${loadSeconds} s`;
  const missed = ({ made, created, closed }: Load) =>
    Math.abs(2 * made - created) + Math.abs(created - closed);
  const pause = loads.get("ours")?.pause;
  const note = pause === undefined ? null : `our event loop stood still for ${pause} ms at most`;
  const growth = (one: Load) => one.after.privateDirty - one.before.privateDirty;
  const programs = new Map([...loads].filter(([name]) => name === "ours" || name === "theirs"));
  const theirs = loads.get("theirs");
  const isComparable = theirs === undefined || missed(theirs) <= theirs.made * MOST_MISSED;
  const cpu = atMostRatio(
    row(`${rate}: CPU for 10,000`, "ms", loads, (one) => one.cpu, isComparable ? null : DEAF),
    LOAD_CPU_RATIO,
  );
  return [
    atMost(
      row("private memory with a path manager, idle", "MiB", programs, (one) => one.before.privateDirty),
      PRIVATE_MEMORY_MANAGED,
    ),
    atMost(row(`${rate}: events that a path manager missed`, "", programs, missed, note), 0),
    isComparable ? cpu : { ...cpu, met: null },
    row(`${rate}: growth of private memory`, "MiB", programs, growth),
  ];
}

function row<T>(
  title: string,
  unit: string,
  readings: PerSubject<T>,
  get: Get<T>,
  note: string | null = null,
): Row {
  const value = (name: SubjectName): number | null => {
    const reading = readings.get(name);
    const number = reading === undefined ? Number.NaN : get(reading);
    return Number.isNaN(number) ? null : Number(number.toPrecision(4));
  };
  const others = { theirs: value("theirs"), bareC: value("bareC"), bareNode: value("bareNode") };
  return { title, unit, ours: value("ours"), ...others, goal: null, met: null, note };
}

function atMostRatio(row: Row, ratio: number): Row {
  const met = row.ours === null || row.theirs === null ? null : row.ours / row.theirs <= ratio;
  return { ...row, goal: `≤ ${ratio}×`, met };
}

function atMost(row: Row, most: number): Row {
  return {
    ...row,
    goal: `≤ ${most} ${row.unit}`.trimEnd(),
    met: row.ours === null ? null : row.ours <= most,
  };
}

function noteOfLate(latencies: PerSubject<Latency>, samples: number): string | null {
  const late = [...latencies].flatMap(([name, { late: count }]) =>
    count > 0 ? [`${subjectNames[name]} missed ${count}`] : [],
  );
  return late.length > 0 ? `of ${samples} changes ${late.join(", ")} within 3 s` : null;
}
