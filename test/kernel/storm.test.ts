import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { atOnce, Machine } from "../lab/machine.ts";

const interfaces = ["eth0", "eth1", "eth2"];
/** Few enough for the slots of any kernel. */
const survivors = 6;
const changes = 5000;
const times = rounds(4, 20);
const overrun = /^warning: the kernel dropped notifications of network changes/;

describe("a storm of address changes", { skip: requires() }, () => {
  for (const removalDelay of [0, 0.1]) {
    it(`ends in the right endpoints, ${times} times of ${times} (removal-delay=${removalDelay})`, async (t) => {
      const machine = await hostInStorm(t, `[core]\nremoval-delay=${removalDelay}\n`);
      const addresses = new AssignedAddresses(1);
      for (let round = 0; round < times; round++) {
        const before = addresses.change(changes / 2);
        const during = addresses.change(changes / 4);
        const after = [...addresses.change(changes / 4), ...addresses.reduceTo(survivors)];
        await machine.host.ipBatch(before);
        machine.daemon.signal("SIGSTOP");
        await machine.host.ipBatch(during);
        machine.daemon.signal("SIGCONT");
        await machine.host.ipBatch(after);
        await machine.hasEndpointsAt(addresses.assigned);
      }
      await machine.nothingHappens(async () => {});
    });
  }

  it("does so when the kernel had to drop notifications", async (t) => {
    const machine = await hostInStorm(t, atOnce);
    const addresses = new AssignedAddresses(2);
    machine.daemon.signal("SIGSTOP");
    do await machine.host.ipBatch(addresses.change(changes));
    while (!(await hasDropped(machine.host)));
    await machine.host.ipBatch(addresses.reduceTo(survivors));
    machine.daemon.signal("SIGCONT");
    await machine.daemon.waitForLine(overrun);
    await machine.hasEndpointsAt(addresses.assigned);
    // It is not deaf after that.
    await machine.host.ipBatch(addresses.reduceTo(1));
    await machine.hasEndpointsAt(addresses.assigned);
  });

  it("does so when links come and go meanwhile", async (t) => {
    const machine = await hostInStorm(t, atOnce);
    const flaps = Array.from({ length: 500 }, () =>
      interfaces.flatMap((device) => [`link set ${device} down`, `link set ${device} up`]),
    );
    // IPv4 only: a link that goes down loses its IPv6 addresses.
    await machine.host.ipBatch(interfaces.map((device, i) => `addr add 10.0.${i}.1/24 dev ${device}`));
    await machine.host.ipBatch(flaps.flat());
    await machine.hasEndpointsAt(interfaces.map((_, i) => `10.0.${i}.1`));
  });
});

async function hostInStorm(t: Closer, config: string): Promise<Machine> {
  const machine = await Machine.started(t, { config });
  for (const device of interfaces) await machine.plug(device);
  return machine;
}

/** Whether the kernel had to drop what it had for a netlink socket in this host. */
async function hasDropped(host: Host): Promise<boolean> {
  const [, ...rows] = (await host.run("cat", "/proc/net/netlink")).trim().split("\n");
  return rows.some((row) => Number(row.trim().split(/\s+/)[8]) > 0);
}

/** The addresses of a host, and random changes of them as lines for `ip -batch`. */
class AssignedAddresses {
  readonly #assigned = new Set<string>();
  #random: number;

  constructor(seed: number) {
    this.#random = seed;
  }

  /** Without their prefix lengths. */
  get assigned(): string[] {
    return [...this.#assigned].map((place) => place.split(/[/ ]/)[0] ?? "");
  }

  /** Adds addresses that are not there, deletes those that are. */
  change(count: number): string[] {
    return Array.from({ length: count }, () => {
      const i = this.#next(interfaces.length);
      const host = 1 + this.#next(60);
      return this.#toggle(
        `${host % 3 === 0 ? `2001:db8:${i + 1}::${host}/128` : `10.0.${i}.${host}/32`} dev ${interfaces[i]}`,
      );
    });
  }

  /** Deletes all but so many. */
  reduceTo(count: number): string[] {
    return [...this.#assigned].slice(count).map((place) => this.#toggle(place));
  }

  #toggle(place: string): string {
    if (this.#assigned.delete(place)) return `addr del ${place}`;
    this.#assigned.add(place);
    return `addr add ${place}`;
  }

  /** The generator of Park and Miller: the same storm in every run. */
  #next(below: number): number {
    this.#random = (this.#random * 48271) % 0x7fffffff;
    return this.#random % below;
  }
}
