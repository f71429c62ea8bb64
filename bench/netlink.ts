import { join } from "node:path";
import type { Host } from "../src/lab/kit/host.ts";
import type { LabProcess } from "../src/lab/kit/lab-process.ts";
import { ADDED, type Bench, type PerSubject } from "./daemons.ts";
import { parseReadings, runMeter } from "./meter.ts";
import { nodeOptions } from "./node-options.ts";
import { DEVICE, freshHost } from "./subject.ts";

const END = join(import.meta.dirname, "netlink-end.js");
const PARSING_SECONDS = 1;
const PARSED_ADDRESSES = 200;
/** The first events of a listener are not counted: a daemon has run for long when its next event comes. */
const WARM_UP = 50;

/** µs from before the request that adds an address until its notification is with the listener: ours, and C's. */
export async function measureDelivery({ lab, meter, plan }: Bench): Promise<PerSubject<number[]>> {
  const host = await freshHost(lab, "delivery");
  const count = WARM_UP + plan.netlinkEvents;
  const delays = { ours: [] as number[], theirs: [] as number[] };
  const listeners = {
    ours: () => host.spawn(process.execPath, [...nodeOptions(), END, "listen", String(count)]),
    theirs: () => host.spawn(meter.path, ["listen", String(count)]),
  };
  for (let round = 0; round < plan.netlinkRounds; round++) {
    for (const name of ["ours", "theirs"] as const) {
      const listener = listeners[name]();
      await listener.waitForLine(/^ready/);
      const { all: sent } = await runMeter(meter, host, "send", count, ADDED[4], DEVICE);
      const heard = await readingsAtEnd(listener);
      const times = sent("sent").map(
        (time, index) => ((heard.all("heard")[index] ?? Number.NaN) - time) / 1000,
      );
      delays[name].push(...times.slice(WARM_UP));
    }
  }
  return new Map(Object.entries(delays).map(([name, times]) => [name === "ours" ? name : "theirs", times]));
}

/** Address messages that one core decodes a second, half of them IPv6; one reading a round. */
export async function measureParsing({ lab, plan }: Bench): Promise<number[]> {
  const host = await freshHost(lab, "parsing");
  await addAddresses(host);
  const rates: number[] = [];
  for (let round = 0; round < plan.netlinkRounds; round++) {
    const readings = await readingsAtEnd(
      host.spawn(process.execPath, [...nodeOptions(), END, "parse", String(PARSING_SECONDS)]),
    );
    rates.push(readings.one("rate"));
  }
  return rates;
}

async function addAddresses(host: Host): Promise<void> {
  const lines: string[] = [];
  for (let number = 1; number <= PARSED_ADDRESSES; number++) {
    lines.push(`addr add 10.77.2.${number}/32 dev ${DEVICE}`);
    lines.push(`addr add fd77::2:${number}/128 dev ${DEVICE}`);
  }
  await host.ipBatch(lines);
}

async function readingsAtEnd(child: LabProcess) {
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`${child.commandLine}: exit ${code}\n${child.output}`);
  return parseReadings(child.output);
}
