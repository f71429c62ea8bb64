import { type Bench, latenciesOf, stopAll } from "./daemons.ts";
import type { Case } from "./results.ts";
import { quantile } from "./statistics.ts";
import { run, type Subject, type Surroundings } from "./subject.ts";

/** One thing at a time is not as in the base; in the last ones many are. */
type Differences = {
  readonly title: string;
  readonly family?: 4 | 6;
  readonly gap?: keyof typeof rounds;
  /** Beside the device, in containers. */
  readonly interfaces?: number;
  readonly addresses?: number;
  readonly sections?: number;
};

/** Samples by the milliseconds between two changes: in how many rounds, and how many a round. */
const rounds = {
  0: { rounds: 20, samples: 50 },
  20: { rounds: 20, samples: 20 },
  1000: { rounds: 5, samples: 10 },
};
const quickRound = { rounds: 1, samples: 5 };

/** The loopback device is none of them. */
const FEW_INTERFACES = 3;
const MANY_INTERFACES = 200;
const MANY_ADDRESSES = 60;
const MANY_SECTIONS = 10;

const cases: readonly Differences[] = [
  { title: "base: 20 ms, IPv4, one address, 3 interfaces, no [path] section" },
  { title: "0 ms", gap: 0 },
  { title: "1 s", gap: 1000 },
  { title: "IPv6", family: 6 },
  { title: "60 addresses", addresses: MANY_ADDRESSES },
  { title: "200 interfaces", interfaces: MANY_INTERFACES },
  { title: "10 [path] sections", sections: MANY_SECTIONS },
  { title: "0 ms, IPv6", gap: 0, family: 6 },
  {
    title: "0 ms, 60 addresses, 200 interfaces, 10 sections",
    ...{ gap: 0, addresses: MANY_ADDRESSES, interfaces: MANY_INTERFACES, sections: MANY_SECTIONS },
  },
  {
    title: "1 s, IPv6, 60 addresses, 200 interfaces, 10 sections",
    ...{ gap: 1000, family: 6 },
    ...{ addresses: MANY_ADDRESSES, interfaces: MANY_INTERFACES, sections: MANY_SECTIONS },
  },
];

/** µs from an address to its endpoint, in each case; ours, the C program and the bare loop in C in turn. */
export async function measureMatrix(bench: Bench, quick: boolean): Promise<Case[]> {
  const measured: Case[] = [];
  for (const [number, one] of cases.entries()) {
    process.stderr.write(`measuring ${one.title}\n`);
    measured.push(await measureCase(bench, one, `case${number}`, quick));
  }
  return measured;
}

async function measureCase(bench: Bench, one: Differences, name: string, quick: boolean): Promise<Case> {
  const { family = 4, gap = 20 } = one;
  const beside = surroundings(one);
  const daemons = [];
  for (const subject of subjectsOf(bench, one))
    daemons.push(await run(bench.lab, subject, `${name}-${subject.name}`, { beside }));
  const turns = { ...(quick ? quickRound : rounds[gap]), family, gap };
  const latencies = await latenciesOf(bench.meter, daemons, turns);
  await stopAll(daemons);
  const value = (subject: Subject["name"], share: number): number | null => {
    const times = latencies.get(subject)?.add ?? [];
    return times.length === 0 ? null : Number(quantile(times, share).toPrecision(4));
  };
  return {
    title: one.title,
    ours: value("ours", 0.5),
    p95: value("ours", 0.95),
    theirs: value("theirs", 0.5),
    bareC: value("bareC", 0.5),
  };
}

/**
 * The C program has no [path] sections, and takes the addresses of containers for the host's: they would fill the
 * kernel's slots.
 */
function subjectsOf({ subjects, floors }: Bench, { sections, addresses }: Differences): Subject[] {
  const comparable = sections === undefined && addresses === undefined;
  const loops = floors.map(({ endpoints }) => endpoints).filter(({ name }) => name === "bareC");
  return [...subjects.filter(({ name }) => name === "ours" || comparable), ...loops];
}

function surroundings({
  interfaces = FEW_INTERFACES,
  addresses = 1,
  sections = 0,
}: Differences): Surroundings {
  return {
    interfaces: interfaces - 1,
    // The device has the first one.
    addresses: addresses - 1,
    configuration: sections === 0 ? [] : pathSections(sections),
  };
}

/** The last one decides about the device: all are tried. */
function pathSections(count: number): string[] {
  const others = Array.from({ length: count - 2 }, (_, index) => [
    `[path modem${index}]`,
    `match-interface=wwan${index}*,usb${index}*`,
    "flags=subflow,backup",
  ]);
  const containers = ["[path containers]", "match-interface=veth*", "ignore=yes"];
  return [...containers, ...others.flat(), "[path wired]", "match-interface=eth*", "flags=subflow"];
}
