import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keepSubflows } from "../../../../src/path-managers/api/keep-subflows.ts";
import { definePathManager, type PathManager } from "../../../../src/path-managers/runtime/api.ts";
import type { SimulationSetting } from "../../../../src/path-managers/simulation/setting.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";
import { HostBench, recorder } from "../runtime/fakes.ts";

const interfaces = { eth0: ["10.0.1.2"], eth1: ["10.0.2.2"] };
const [one, two] = ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9"];

const everywhere = definePathManager({
  name: "everywhere",
  setup: (pm) => keepSubflows(pm, { wanted: () => pm.network.uplinks.map((from) => ({ from })) }),
});

/** A connection from eth0 that has a subflow from each interface. */
async function connected(setting: SimulationSetting = {}) {
  const simulation = await simulate(everywhere, { interfaces, ...setting });
  const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
  await simulation.settle();
  return { simulation, peer };
}

describe("a subflow whose address is gone", () => {
  it("is ended two seconds later, by a withdrawal that the peer hears of, be it the initial one", async () => {
    const { simulation, peer } = await connected();
    simulation.removeAddress("eth0", "10.0.1.2");
    await simulation.advance(1900);
    assert.deepEqual(peer.subflows, [one, two]);
    await simulation.advance(200);
    assert.deepEqual(peer.subflows, [two]);
    assert.deepEqual([simulation.log, simulation.faults], [[], 0]);
  });

  it("is ended after another removal-delay, if that is configured", async () => {
    for (const delay of [0.5, 5]) {
      const { simulation, peer } = await connected({ config: `[core]\nremoval-delay=${delay}\n` });
      simulation.removeAddress("eth0", "10.0.1.2");
      await simulation.advance(delay * 1000 - 100);
      assert.deepEqual(peer.subflows, [one, two], `after ${delay} s`);
      await simulation.advance(200);
      assert.deepEqual(peer.subflows, [two], `after ${delay} s`);
    }
  });

  it("is ended at once with removal-delay=0, unless it is the last", async () => {
    const { simulation, peer } = await connected({ config: "[core]\nremoval-delay=0\n" });
    simulation.removeAddress("eth0", "10.0.1.2");
    await simulation.settle();
    assert.deepEqual([peer.subflows, simulation.now], [[two], 40]);
    simulation.removeAddress("eth1", "10.0.2.2");
    await simulation.advance(60_000);
    assert.deepEqual(peer.subflows, [two]);
  });

  it("is ended too where it is the carrier that is gone, and made again when that returns", async () => {
    const { simulation, peer } = await connected();
    simulation.cut("eth1");
    await simulation.advance(3000);
    assert.deepEqual(peer.subflows, [one]);
    simulation.restore("eth1");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [one, two]);
  });

  it("lives on, if the address is back before, and begins two seconds anew if that goes again", async () => {
    const { simulation, peer } = await connected();
    simulation.answer = () => assert.fail("it has asked for a subflow");
    for (let round = 0; round < 3; round++) {
      simulation.removeAddress("eth1", "10.0.2.2");
      await simulation.advance(1500);
      simulation.addAddress("eth1", "10.0.2.2");
      await simulation.advance(100);
    }
    assert.deepEqual(peer.subflows, [one, two]);
  });

  it("lives on while the connection has no other that works, until it has", async () => {
    const { simulation, peer } = await connected({ interfaces: { eth0: ["10.0.1.2"] } });
    simulation.removeAddress("eth0", "10.0.1.2");
    await simulation.advance(600_000);
    assert.deepEqual(peer.subflows, [one]);
    simulation.addAddress("eth0", "10.0.1.2");
    await simulation.advance(600_000);
    assert.deepEqual(peer.subflows, [one], "it has been waited for");
    simulation.removeAddress("eth0", "10.0.1.2");
    await simulation.advance(5000);
    simulation.answer = () => "silence";
    simulation.plug("eth1", ["10.0.2.2"]);
    await simulation.advance(5000);
    assert.deepEqual(peer.subflows, [one], "another one is only asked for");
    simulation.answer = () => "accept";
    simulation.unplug("eth1");
    simulation.plug("eth2", ["10.0.2.2"]);
    await simulation.advance(20_000);
    assert.deepEqual(peer.subflows, [two]);
  });

  it("is ended also where that happened while mptcpd did not run", async () => {
    const { simulation, peer } = await connected();
    simulation.stop();
    simulation.removeAddress("eth1", "10.0.2.2");
    await simulation.start();
    await simulation.advance(3000);
    assert.deepEqual(peer.subflows, [one]);
  });

  it("is left alone on the server side, which could not make it again", async () => {
    const simulation = await simulate(everywhere, { interfaces });
    const peer = simulation.connect({ from: "10.0.9.9", to: "10.0.1.2" });
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    simulation.unplug("eth1");
    await simulation.advance(60_000);
    assert.equal(peer.subflows.length, 2);
  });
});

describe("a subflow from an address that is there and of no use to others", () => {
  it("lives on, though other subflows work", async () => {
    const config = "[path own]\nmatch-interface=br0\nignore=yes\n";
    const simulation = await simulate(everywhere, {
      interfaces: { ...interfaces, br0: ["10.0.7.2"] },
      config,
    });
    const peer = simulation.connect({ from: "10.0.7.2", to: "10.0.9.9" });
    await simulation.settle();
    simulation.cut("eth1");
    await simulation.advance(10_000);
    assert.deepEqual(peer.subflows, [one, "10.0.7.2 > 10.0.9.9"]);
  });
});

describe("subflows are looked at", () => {
  it("when a default route comes later than its address, once for all that changes at once", async () => {
    let looks = 0;
    const looking = recorder({
      setup: (pm) => keepSubflows(pm, { wanted: () => [], changed: () => void looks++ }),
    });
    const bench = await new HostBench([looking.definition]).start();
    bench.connect();
    await bench.settle();
    for (const change of [
      () => bench.change((network) => network.plug("eth2", { addresses: ["10.0.3.2", "10.0.4.2"] })),
      () => bench.change((network) => network.unplug("eth2")),
    ]) {
      looks = 0;
      change();
      assert.equal(looks, 1);
    }
  });

  it("by the path manager that has the connection, and no other one", async () => {
    const inCharge = recorder({ name: "in-charge" });
    const bench = await new HostBench([everywhere, inCharge.definition], { inCharge: ["in-charge"] }).start();
    const peer = bench.connect();
    await bench.settle();
    bench.change((network) => network.plug("eth2", { addresses: ["10.0.3.2"] }));
    await bench.settle();
    assert.deepEqual(peer.subflows, [one]);
  });
});

describe("a subflow that is wanted", () => {
  it("is asked for once, also while the kernel does not know of it yet", async () => {
    let asked = 0;
    const slow = definePathManager({
      name: "slow",
      setup: (pm) => {
        const never = (): Promise<never> => {
          asked++;
          return new Promise(() => undefined);
        };
        const handler = {
          get: (target: PathManager, key: keyof PathManager) =>
            key === "createSubflow" ? never : Reflect.get(target, key, target),
        };
        return keepSubflows(new Proxy<PathManager>(pm, handler), { wanted: () => [{ from: "10.0.2.2" }] });
      },
    });
    const simulation = await simulate(slow, { interfaces });
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
    await simulation.settle();
    peer.announce(4, "10.0.9.10");
    simulation.plug("eth2", ["10.0.3.2"]);
    await simulation.settle();
    assert.equal(asked, 1);
  });
});
