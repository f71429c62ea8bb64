import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds: mptcpd collects garbage two to three seconds after the last work. */
const REST = 5000;

/** Milliseconds of CPU that a process' threads have had (the first field of schedstat is nanoseconds). */
export function cpuTime(pid: number): number {
  const directory = `/proc/${pid}/task`;
  const threads = readdirSync(directory).map((thread) =>
    Number(readFileSync(`${directory}/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return threads.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6;
}

/** MiB. */
export type Memory = {
  /** All pages that are mapped and present, those of shared files included. */
  readonly resident: number;
  /** Pages that belong to the process alone and were written: what it costs the host. */
  readonly privateDirty: number;
};

export async function memoryAtRest(pid: number): Promise<Memory> {
  await delay(REST);
  return memoryOf(pid);
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mebibytes = (name: string): number => {
    const kibibytes = text.match(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"))?.[1];
    return Number(kibibytes) / 1024;
  };
  return { resident: mebibytes("Rss"), privateDirty: mebibytes("Private_Dirty") };
}
