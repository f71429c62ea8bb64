import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { atOnce, Machine } from "../lab/machine.ts";

const MIB = 1024 * 1024;

describe("memory", { skip: requires() }, () => {
  for (const [who, config] of [
    ["mptcpd", atOnce],
    ["mptcpd with a path manager", `${atOnce}path-manager=fullmesh\n`],
  ] as const)
    it(`of a burst of changes is given back when ${who} rests`, async (t) => {
      const machine = await Machine.started(t, { config });
      await machine.plug("eth0");
      // The first time, V8 may do it by itself.
      for (let time = 0; time < 2; time++) {
        const most = await growByWork(machine);
        await waitFor("memory to be given back", async () => privateMemory(machine) < most - MIB);
      }
    });
});

/** Changes addresses until mptcpd has 2 MiB more than at rest. @returns how much it has */
async function growByWork(machine: Machine): Promise<number> {
  const addresses = Array.from({ length: 6 }, (_, index) => `10.0.1.${index + 1}/32 dev eth0`);
  let least = privateMemory(machine);
  for (;;) {
    await machine.host.ipBatch(addresses.map((address) => `addr add ${address}`));
    await machine.hasEndpointsAt(addresses.map((address) => address.split("/")[0] ?? ""));
    await machine.host.ipBatch(addresses.map((address) => `addr del ${address}`));
    await machine.hasEndpointsAt([]);
    const memory = privateMemory(machine);
    least = Math.min(least, memory);
    if (memory > least + 2 * MIB) return memory;
  }
}

/** Bytes that only mptcpd has. */
function privateMemory({ daemon }: Machine): number {
  const text = readFileSync(`/proc/${daemon.pid}/smaps_rollup`, "utf8");
  return Number(/^Private_Dirty:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}
