import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { findCapacity } from "../lab/capacity.ts";
import { atOnce, hourly, Machine, type MachineOptions } from "../lab/machine.ts";

const notice = /^notice: this kernel holds (\d+) endpoints; addresses beyond them wait for a free slot$/;

/** How many endpoints this kernel holds: 8 before Linux 7.2, then 255. */
const capacity = requires() ? 0 : await findCapacity();

describe("more addresses than the kernel has slots for", { skip: requires(), concurrency: 4 }, () => {
  it("finds the capacity by itself and says so once", async (t) => {
    const { machine, addresses } = await hostWith(t, capacity + 3);
    await machine.hasEndpointsAt(addresses.slice(0, capacity));
    await machine.nothingHappens(() => machine.ip("addr add 10.9.9.9/32 dev eth0"));
    const said = machine.daemon.lines.flatMap((line) => line.match(notice) ?? []);
    assert.deepEqual(said[1], String(capacity));
    assert.equal(said.length, 2);
  });

  it("says nothing when they fit exactly", async (t) => {
    const { machine, addresses } = await hostWith(t, capacity);
    await machine.hasEndpointsAt(addresses);
    await machine.settled();
    assert.doesNotMatch(machine.daemon.output, /holds|cannot/);
  });

  it("promotes those that wait, in their order, when slots fall free", async (t) => {
    const { machine, addresses } = await hostWith(t, capacity + 3);
    await machine.hasEndpointsAt(addresses.slice(0, capacity));
    await machine.host.ipBatch(addresses.slice(0, 2).map((address) => `addr del ${address}/32 dev eth0`));
    await machine.hasEndpointsAt(addresses.slice(2, capacity + 2));
    await machine.ip(`addr del ${addresses[2]}/32 dev eth0`);
    await machine.hasEndpointsAt(addresses.slice(3));
  });

  it("remembers the capacity over a restart, and keeps every endpoint as it is", async (t) => {
    const { machine, addresses } = await hostWith(t, capacity + 3);
    await machine.hasEndpointsAt(addresses.slice(0, capacity));
    const before = await machine.host.endpoints();
    await machine.restart();
    await machine.settled();
    assert.deepEqual(await machine.host.endpoints(), before);
    assert.doesNotMatch(machine.daemon.output, /holds|added|deleted|cannot/);
  });

  it("goes by the priority of the rule, from the first start on", async (t) => {
    const config = `${atOnce}[path best]\nmatch-interface=best*\npriority=-1\n[path others]\n`;
    const { machine, addresses } = await hostWith(t, capacity, { config, last: ["best0 10.7.0.1"] });
    await machine.hasEndpointsAt(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
  });

  it("lets a live alias give way to another interface's first address, and not to another alias", async (t) => {
    const { machine, addresses } = await hostWith(t, capacity);
    await machine.hasEndpointsAt(addresses);
    await machine.plug("eth7", "10.7.0.1/32");
    await machine.hasEndpointsAt(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
    await machine.nothingHappens(() => machine.ip("addr add 10.7.0.2/32 dev eth7"));
  });

  it("counts the endpoints of others, which keep their slots", async (t) => {
    const foreign = ["192.0.2.1", "192.0.2.2"];
    const { machine, addresses } = await hostWith(t, capacity, {
      before: (host) => host.ipBatch(foreign.map((address) => `mptcp endpoint add ${address} signal`)),
    });
    await machine.hasEndpointsAt([...foreign, ...addresses.slice(0, capacity - 2)]);
    await machine.ip("mptcp endpoint delete id 1");
    await machine.reload();
    await machine.hasEndpointsAt(["192.0.2.2", ...addresses.slice(0, capacity - 1)]);
  });

  it("keeps a held endpoint's slot until its delay is over", async (t) => {
    const { machine, addresses } = await hostWith(t, capacity + 1, { config: hourly });
    await machine.hasEndpointsAt(addresses.slice(0, capacity));
    await machine.nothingHappens(() => machine.ip(`addr del ${addresses[0]}/32 dev eth0`));
    await machine.reload("[core]\nremoval-delay=0.1\n");
    await machine.hasEndpointsAt(addresses.slice(1));
  });
});

type Crowd = MachineOptions & {
  /** Give each address an interface of its own, so that none is an alias. */
  onePerInterface?: boolean;
  /** "INTERFACE ADDRESS" to add after the others. */
  last?: readonly string[];
  before?: (host: Host) => Promise<unknown>;
};

/** A host that has so many IPv4 addresses when its daemon starts, in their order of appearance. */
async function hostWith(
  t: Closer,
  count: number,
  { onePerInterface = false, last = [], before = async () => {}, ...options }: Crowd = {},
): Promise<{ machine: Machine; addresses: string[] }> {
  // Those that appear within 1/100 s rank as their text does, so the text has to have the order of appearance.
  const addresses = range(count).map((i) => `10.0.${100 + Math.floor(i / 100)}.${100 + (i % 100)}`);
  const places = [
    ...addresses.map((address, i) => `${onePerInterface ? `eth${i}` : "eth0"} ${address}`),
    ...last,
  ];
  const machine = await Machine.create(t, {});
  const devices = [...new Set(places.map((place) => place.split(" ")[0] ?? ""))];
  // A pair with both ends here would lead to guests of the host.
  const elsewhere = await machine.lab.host("elsewhere");
  await machine.host.ipBatch(
    devices.flatMap((device, i) => [
      `link add ${device} type veth peer name peer${i} netns ${elsewhere.namespace}`,
      `link set ${device} up`,
    ]),
  );
  await elsewhere.ipBatch(devices.map((_, i) => `link set peer${i} up`));
  // What has no carrier yet is not ranked with the others.
  await eventually("carriers", async () => {
    const links = await machine.ip("-br link show up");
    assert.equal(links.match(/ UP /g)?.length, devices.length, links);
  });
  await machine.host.ipBatch(places.map(addressLine));
  await before(machine.host);
  await machine.start(options);
  return { machine, addresses };
}

function addressLine(place: string): string {
  const [device = "", address = ""] = place.split(" ");
  return `addr add ${address}/${address.includes(":") ? "128" : "32"} dev ${device} nodad`;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
