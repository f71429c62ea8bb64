import { join } from "node:path";
import { IPPROTO_MPTCP } from "../src/kernel/socket-numbers.ts";
import { checkout } from "../src/lab/kit/checkout.ts";
import type { Host } from "../src/lab/kit/host.ts";
import type { Bench, PerSubject } from "./daemons.ts";
import { parseReadings, type Readings } from "./meter.ts";
import { multiarch, type SubjectName } from "./subject.ts";

/** µs for one socket, made and closed, by the way in which it becomes MPTCP. */
export type SocketTimes = Record<(typeof ways)[number], number[]>;

/** µs for one setsockopt. */
export type OptionTimes = Pick<SocketTimes, "mptcp" | "preload">;

const ways = ["tcp", "mptcp", "preload", "theirs", "seccomp"] as const;

const RUNS_A_TURN = 20;
const BATCHES_A_TURN = 5;

/** µs from starting `mptcpize run true` to its end, in turns. */
export async function measureLaunch(bench: Bench): Promise<PerSubject<number[]>> {
  const { lab, plan, subjects } = bench;
  const host = await lab.host("launch");
  const times = new Map(subjects.map(({ name }): [SubjectName, number[]] => [name, []]));
  for (let round = 0; round < plan.launchRounds; round++)
    for (const { name } of subjects) {
      const words = ["run", RUNS_A_TURN, ...mptcpize(bench, name), "run", "/bin/true"];
      times.get(name)?.push(...(await runLaunch(bench, host, [], words)).all("run"));
    }
  return times;
}

/** Who makes a socket, in turns: the program for itself, and mptcpize by its ways. */
export async function measureSockets(bench: Bench): Promise<SocketTimes> {
  const host = await bench.lab.host("sockets");
  const times: SocketTimes = { tcp: [], mptcp: [], preload: [], theirs: [], seccomp: [] };
  for (let round = 0; round < bench.plan.launchRounds; round++)
    for (const way of ways) times[way].push(...(await socketTimes(bench, host, way)));
  return times;
}

/** µs for one setsockopt that MPTCP takes, in turns: by a program itself, and with the library in it. */
export async function measureOptions(bench: Bench): Promise<OptionTimes> {
  const host = await bench.lab.host("options");
  const times: OptionTimes = { mptcp: [], preload: [] };
  for (let round = 0; round < bench.plan.launchRounds; round++)
    for (const way of ["mptcp", "preload"] as const)
      times[way].push(...(await timesOf(bench, host, way, { action: "options", reading: "option" })));
  return times;
}

async function socketTimes(bench: Bench, host: Host, way: (typeof ways)[number]): Promise<number[]> {
  return timesOf(bench, host, way, { action: "sockets", reading: "socket" });
}

/** What bench/launch.c measures of sockets that become MPTCP by a way. */
async function timesOf(
  bench: Bench,
  host: Host,
  way: (typeof ways)[number],
  { action, reading }: { action: string; reading: string },
): Promise<number[]> {
  if (way === "theirs" && bench.theirs === undefined) return [];
  const before = {
    tcp: [],
    mptcp: [],
    preload: [...mptcpize(bench, "ours"), "run"],
    theirs: [...mptcpize(bench, "theirs"), "run"],
    seccomp: [...mptcpize(bench, "ours"), "run", "--how=seccomp"],
  }[way];
  const words = [action, BATCHES_A_TURN, way === "mptcp" ? IPPROTO_MPTCP : 0];
  const readings = await runLaunch(bench, host, before, words);
  const made = readings.one("protocol") === IPPROTO_MPTCP;
  if (made !== (way !== "tcp"))
    throw new Error(`${way}: the sockets have protocol ${readings.one("protocol")}`);
  return [...readings.all(reading)];
}

function mptcpize({ theirs = "" }: Bench, name: SubjectName): string[] {
  return [name === "ours" ? join(checkout, "bin/mptcpize") : join(theirs, "usr/bin/mptcpize")];
}

/** The C mptcpize knows its library by the path at which its package is installed: it seems to be, for this command. */
async function runLaunch(
  { launch, theirs }: Bench,
  host: Host,
  before: readonly string[],
  words: readonly (string | number)[],
): Promise<Readings> {
  const command = [...before, launch, ...words.map(String)];
  if (theirs === undefined) return parseReadings(await host.run("env", ...command));
  const libraries = join("/usr/lib", multiarch());
  const layers = `lowerdir=${join(theirs, libraries)}:${libraries}`;
  const script = 'mount -t overlay -o "$1" overlay "$2" && shift 2 && exec "$@"';
  return parseReadings(
    await host.run("unshare", "--mount", "sh", "-c", script, "sh", layers, libraries, ...command),
  );
}
