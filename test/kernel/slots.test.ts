import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCapacity } from "../lab/capacity.ts";
import type { Host } from "../lab/host.ts";
import type { Closer } from "../lab/lab.ts";
import { requires } from "../lab/requires.ts";
import { atOnce, type ServedHost, type ServedHostOptions, serveHost } from "../lab/served-host.ts";

const notice = /^notice: this kernel holds (\d+) endpoints; addresses beyond them wait for a free slot$/;

/** How many endpoints this kernel holds: 8 before Linux 7.2, then 255. */
const capacity = requires() ? 0 : await findCapacity();

describe("more addresses than the kernel has slots for", { skip: requires(), concurrency: 4 }, () => {
  it("finds the capacity by itself and says so once", async (t) => {
    const { served, addresses } = await hostWith(t, capacity + 3);
    await served.endpointsBecome(addresses.slice(0, capacity));
    await served.nothingHappens(() => served.host.ip("addr add 10.9.9.9/32 dev eth0"));
    const said = served.daemon.lines.flatMap((line) => line.match(notice) ?? []);
    assert.deepEqual(said[1], String(capacity));
    assert.equal(said.length, 2);
  });

  it("says nothing when they fit exactly", async (t) => {
    const { served, addresses } = await hostWith(t, capacity);
    await served.endpointsBecome(addresses);
    await served.settled();
    assert.doesNotMatch(served.daemon.output, /holds|cannot/);
  });

  it("promotes those that wait, in their order, when slots fall free", async (t) => {
    const { served, addresses } = await hostWith(t, capacity + 3);
    await served.endpointsBecome(addresses.slice(0, capacity));
    await served.host.ipBatch(addresses.slice(0, 2).map((address) => `addr del ${address}/32 dev eth0`));
    await served.endpointsBecome(addresses.slice(2, capacity + 2));
    await served.host.ip(`addr del ${addresses[2]}/32 dev eth0`);
    await served.endpointsBecome(addresses.slice(3));
  });

  it("remembers the capacity over a restart, and keeps every endpoint as it is", async (t) => {
    const { served, addresses } = await hostWith(t, capacity + 3);
    await served.endpointsBecome(addresses.slice(0, capacity));
    const before = await served.host.endpoints();
    await served.daemon.stop();
    const { lab, host } = served;
    const { runtimeDirectory } = served.daemon;
    const again = await serveHost(t, { lab, host, runtimeDirectory, config: atOnce });
    await again.settled();
    assert.deepEqual(await host.endpoints(), before);
    assert.doesNotMatch(again.daemon.output, /holds|added|deleted|cannot/);
  });

  describe("ranks, from the first start on", { concurrency: 4 }, () => {
    it("by the priority of the rule first", async (t) => {
      const config = `${atOnce}[path best]\nmatch-interface=best*\npriority=-1\n[path others]\n`;
      const { served, addresses } = await hostWith(t, capacity, { config, last: ["best0 10.7.0.1"] });
      await served.endpointsBecome(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
    });

    it("an interface's first address before another's aliases", async (t) => {
      const { served, addresses } = await hostWith(t, capacity + 1, {
        last: ["eth7 10.7.0.1", "eth7 10.7.0.2"],
      });
      await served.endpointsBecome(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
    });

    it("an interface's first IPv6 address before its IPv4 aliases", async (t) => {
      const { served, addresses } = await hostWith(t, capacity + 1, { last: ["eth0 2001:db8::1"] });
      await served.endpointsBecome(["2001:db8::1", ...addresses.slice(0, capacity - 1)]);
    });

    it("interfaces with a default route before those without", async (t) => {
      const { served, addresses } = await hostWith(t, capacity, {
        onePerInterface: true,
        last: ["eth900 10.7.0.1"],
        before: (host) => host.ip("route add default dev eth900"),
      });
      await served.endpointsBecome(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
    });

    it("global IPv6 addresses before unique-local ones", async (t) => {
      const { served, addresses } = await hostWith(t, capacity - 1, {
        onePerInterface: true,
        last: ["eth0 fd00::1", "eth900 2001:db8::1"],
      });
      await served.endpointsBecome(["2001:db8::1", ...addresses]);
    });
  });

  describe("lets a live endpoint give way", { concurrency: 4 }, () => {
    it("to a better priority", async (t) => {
      const config = `${atOnce}[path best]\nmatch-interface=best*\npriority=-1\n[path others]\n`;
      const { served, addresses } = await hostWith(t, capacity + 1, { config });
      await served.endpointsBecome(addresses.slice(0, capacity));
      await served.plug("best0", "10.7.0.1/32");
      await served.endpointsBecome(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
    });

    it("to another interface's first address, if it is an alias", async (t) => {
      const { served, addresses } = await hostWith(t, capacity);
      await served.endpointsBecome(addresses);
      await served.plug("eth7", "10.7.0.1/32");
      await served.endpointsBecome(["10.7.0.1", ...addresses.slice(0, capacity - 1)]);
      await served.nothingHappens(() => served.host.ip("addr add 10.7.0.2/32 dev eth7"));
    });

    it("never to another alias, nor to one of its own interface", async (t) => {
      const { served, addresses } = await hostWith(t, capacity);
      await served.endpointsBecome(addresses);
      await served.nothingHappens(() => served.host.ip("addr add 10.7.0.1/32 dev eth0"));
    });

    it("never because a route came or went", async (t) => {
      const { served, addresses } = await hostWith(t, capacity, {
        onePerInterface: true,
        before: (host) => host.ip("route add default dev eth0"),
      });
      await served.endpointsBecome(addresses);
      await served.plug("eth900", "10.7.0.1/32");
      await served.nothingHappens(() => served.host.ip("route add default dev eth900 metric 1"));
      await served.nothingHappens(() => served.host.ip("route del default dev eth0"));
    });
  });

  it("counts the endpoints of others, which keep their slots", async (t) => {
    const foreign = ["192.0.2.1", "192.0.2.2"];
    const { served, addresses } = await hostWith(t, capacity, {
      before: (host) => host.ipBatch(foreign.map((address) => `mptcp endpoint add ${address} signal`)),
    });
    await served.endpointsBecome([...foreign, ...addresses.slice(0, capacity - 2)]);
    await served.host.ip("mptcp endpoint delete id 1");
    await served.reload();
    await served.endpointsBecome(["192.0.2.2", ...addresses.slice(0, capacity - 1)]);
  });

  it("promotes at the next full reading when somebody deletes an endpoint of theirs", async (t) => {
    const { served, addresses } = await hostWith(t, capacity, {
      before: (host) => host.ip("mptcp endpoint add 192.0.2.1 id 99 signal"),
    });
    await served.endpointsBecome(["192.0.2.1", ...addresses.slice(0, capacity - 1)]);
    await served.host.ip("mptcp endpoint delete id 99");
    await served.reload();
    await served.endpointsBecome(addresses);
  });

  it("keeps a held endpoint's slot until its delay is over", async (t) => {
    const config = "[core]\nremoval-delay=0.5\n";
    const { served, addresses } = await hostWith(t, capacity + 1, { config });
    await served.endpointsBecome(addresses.slice(0, capacity));
    await served.nothingHappens(() => served.host.ip(`addr del ${addresses[0]}/32 dev eth0`));
    await served.endpointsBecome(addresses.slice(1));
  });
});

type Crowd = Omit<ServedHostOptions, "lab" | "host" | "before"> & {
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
): Promise<{ served: ServedHost; addresses: string[] }> {
  // Those that appear within 1/100 s rank as their text does, so the text has to have the order of appearance.
  const addresses = range(count).map((i) => `10.0.${100 + Math.floor(i / 100)}.${100 + (i % 100)}`);
  const places = [
    ...addresses.map((address, i) => `${onePerInterface ? `eth${i}` : "eth0"} ${address}`),
    ...last,
  ];
  const served = await serveHost(t, {
    config: atOnce,
    ...options,
    before: async (host) => {
      const devices = new Set(places.map((place) => place.split(" ")[0]));
      await host.ipBatch([...devices].flatMap((device, i) => interfaceWithCarrier(`${device}`, `peer${i}`)));
      await host.ipBatch(places.map(addressLine));
      await before(host);
    },
  });
  return { served, addresses };
}

function interfaceWithCarrier(device: string, peer: string): string[] {
  return [`link add ${device} type veth peer name ${peer}`, `link set ${device} up`, `link set ${peer} up`];
}

function addressLine(place: string): string {
  const [device = "", address = ""] = place.split(" ");
  return `addr add ${address}/${address.includes(":") ? "128" : "32"} dev ${device} nodad`;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
