import assert from "node:assert/strict";
import { describe, it } from "node:test";
import backup from "../../../../src/path-managers/built-in/backup.ts";
import type { SimulationSetting } from "../../../../src/path-managers/simulation/setting.ts";
import { type Simulation, simulate } from "../../../../src/path-managers/simulation/simulation.ts";

const interfaces = { eth0: ["10.0.1.2"], wlan0: ["10.0.2.2"], wwan0: ["10.0.3.2"] };
const [eth, wlan, wwan] = ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9", "10.0.3.2 > 10.0.9.9"];

async function connected(setting: SimulationSetting = {}, from = "10.0.1.2") {
  const simulation = await simulate(backup, { interfaces, ...setting });
  const peer = simulation.connect({ from, to: "10.0.9.9" });
  await simulation.settle();
  return { simulation, peer };
}

const said = ({ log }: Simulation) => log.map(({ message }) => message);

describe("backup on the client side", () => {
  it("uses the best interface, and has a backup subflow on the others", async () => {
    const { simulation, peer } = await connected();
    assert.deepEqual(peer.subflows, [eth, `${wlan} backup`, `${wwan} backup`]);
    assert.deepEqual(said(simulation), []);
  });

  it("moves to the best interface, wherever the connection began", async () => {
    const { simulation, peer } = await connected({}, "10.0.3.2");
    assert.deepEqual(peer.subflows, [eth, `${wlan} backup`, `${wwan} backup`]);
    assert.deepEqual(said(simulation), ["backup: 10.0.3.2 is backup from now on"]);
  });

  it("ranks by the globs of the option, then by the priority of [path] sections", async () => {
    const config = "[path lte]\nmatch-interface=wwan*\npriority=-1\n";
    const { peer } = await connected({ config, options: { interfaces: "wl*" } });
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan, `${wwan} backup`]);
    const { simulation, peer: other } = await connected({ config });
    assert.deepEqual(other.subflows, [`${eth} backup`, `${wlan} backup`, wwan]);
    assert.ok(said(simulation).includes("backup: 10.0.1.2 is backup from now on"));
  });

  it("takes to the next one where the best is cut, and back when that returns", async () => {
    const { simulation, peer } = await connected();
    simulation.cut("eth0");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan, `${wwan} backup`]);
    simulation.cut("wlan0");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, `${wlan} backup`, wwan]);
    simulation.restore("eth0");
    simulation.restore("wlan0");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [eth, `${wlan} backup`, `${wwan} backup`]);
  });

  it("takes to the next one where the address of a subflow goes, though its interface stays", async () => {
    const { simulation, peer } = await connected();
    simulation.addAddress("eth0", "10.0.1.3");
    await simulation.settle();
    simulation.answer = (from) => (from === "10.0.1.3" ? "refuse" : "accept");
    simulation.removeAddress("eth0", "10.0.1.2");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan, `${wwan} backup`]);
    simulation.answer = () => "accept";
    simulation.addAddress("eth0", "10.0.1.4");
    await simulation.advance(3000);
    assert.deepEqual(peer.subflows, ["10.0.1.3 > 10.0.9.9", `${wlan} backup`, `${wwan} backup`]);
  });

  it("returns to the best interface also where its default route comes later than its address", async () => {
    const simulation = await simulate(backup, {
      interfaces: { eth0: { addresses: ["10.0.1.2"], defaultRoute: false }, wlan0: ["10.0.2.2"] },
    });
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan]);
    simulation.setDefaultRoute("eth0", true);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [eth, `${wlan} backup`]);
    simulation.setDefaultRoute("eth0", false);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan]);
  });

  it("keeps up with interfaces that come and go faster than commands take effect", async () => {
    const { simulation, peer } = await connected();
    simulation.cut("eth0");
    simulation.cut("wlan0");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, `${wlan} backup`, wwan]);
    simulation.restore("eth0");
    simulation.cut("eth0");
    simulation.restore("wlan0");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan, `${wwan} backup`]);
    assert.equal(simulation.faults, 0);
  });

  it("leaves everything as it is, when none works", async () => {
    const { simulation, peer } = await connected();
    for (const name of Object.keys(interfaces)) {
      simulation.unplug(name);
      await simulation.settle();
    }
    assert.deepEqual(peer.subflows, [`${eth} backup`, `${wlan} backup`, wwan]);
  });

  it("takes to the next one when its subflow is lost, and does not make that again by itself", async () => {
    const { simulation, peer } = await connected();
    peer.breakSubflows("10.0.1.2");
    await simulation.advance(60_000);
    assert.deepEqual(peer.subflows, [wlan, `${wwan} backup`]);
    simulation.cut("eth0");
    simulation.restore("eth0");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [eth, `${wlan} backup`, `${wwan} backup`]);
  });

  it("uses the next one, if the best is refused or not answered", async () => {
    for (const answer of ["refuse", "silence"] as const) {
      const simulation = await simulate(backup, { interfaces });
      simulation.answer = (from) => (from === "10.0.1.2" ? answer : "accept");
      const peer = simulation.connect({ from: "10.0.3.2", to: "10.0.9.9" });
      await simulation.settle();
      await simulation.advance(60_000);
      assert.deepEqual(peer.subflows, [wlan, `${wwan} backup`]);
      assert.equal(simulation.faults, 0);
    }
  });

  it("takes in interfaces that come later", async () => {
    const { simulation, peer } = await connected({ interfaces: { wlan0: ["10.0.2.2"] } }, "10.0.2.2");
    simulation.plug("wwan0", ["10.0.3.2"]);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [wlan, `${wwan} backup`]);
  });

  it("has one subflow on an interface with many addresses, of the family that reaches the peer", async () => {
    const many = {
      eth0: ["2001:db8:1::2"],
      eth1: ["10.0.2.2", "2001:db8:2::2", "2001:db8:2::3"],
      eth2: ["10.0.3.2"],
    };
    const simulation = await simulate(backup, { interfaces: many });
    const peer = simulation.connect({ from: "2001:db8:1::2", to: "2001:db8:9::9" });
    await simulation.settle();
    assert.deepEqual(peer.subflows, [
      "2001:db8:1::2 > 2001:db8:9::9",
      "2001:db8:2::2 > 2001:db8:9::9 backup",
    ]);
    peer.announce(4, "10.0.9.9");
    await simulation.settle();
    assert.deepEqual(peer.subflows[0], "10.0.3.2 > 10.0.9.9 backup");
  });

  it("waits for an announced address, where the peer takes none to its first", async () => {
    const simulation = await simulate(backup, { interfaces });
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9", denyJoinId0: true });
    await simulation.settle();
    assert.deepEqual(peer.subflows, [eth]);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [eth, "10.0.2.2 > 10.0.9.10 backup", "10.0.3.2 > 10.0.9.10 backup"]);
  });
});

describe("backup on the server side", () => {
  it("makes and announces nothing, and ranks what the client makes by its own interfaces", async () => {
    const simulation = await simulate(backup, { interfaces });
    const peer = simulation.connect({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    assert.deepEqual([peer.subflows, peer.announced], [[wlan], []]);
    peer.join({ from: "10.0.9.9", to: "10.0.1.2" });
    await simulation.settle();
    const marks = peer.subflows.map((line) => line.endsWith(" backup"));
    assert.deepEqual(marks, [false, true]);
  });

  it("makes none backup where all are on one interface", async () => {
    const simulation = await simulate(backup, { interfaces });
    const peer = simulation.connect({ from: "10.0.9.9", to: "10.0.3.2" });
    peer.join({ from: "10.0.9.10", to: "10.0.3.2" });
    await simulation.settle();
    assert.equal(peer.subflows.filter((line) => line.endsWith("backup")).length, 0);
  });
});

describe("backup", () => {
  it("waits until a connection is established", async () => {
    const simulation = await simulate(backup, { interfaces });
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9", established: false });
    await simulation.settle();
    simulation.plug("eth2", ["10.0.4.2"]);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(simulation.log, []);
    peer.establish();
    await simulation.settle();
    assert.ok(peer.subflows.length > 1);
  });

  it("has it so after a restart, and after lost events", async () => {
    const { simulation, peer } = await connected();
    simulation.stop();
    simulation.cut("eth0");
    await simulation.start();
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wlan, `${wwan} backup`]);
    await simulation.loseEvents(() => peer.breakSubflows("10.0.2.2"));
    await simulation.settle();
    assert.deepEqual(peer.subflows, [`${eth} backup`, wwan]);
    assert.equal(simulation.faults, 0);
  });

  it("asks once for a connection of the kernel's path manager, and then leaves it alone", async () => {
    const simulation = await simulate(backup, { interfaces, pathManager: "kernel" });
    const peer = simulation.connect({ from: "10.0.3.2", to: "10.0.9.9" });
    await simulation.settle();
    const asked = simulation.log.length;
    peer.join({ from: "10.0.9.9", to: "10.0.1.2" });
    simulation.cut("eth0");
    simulation.restore("eth0");
    await simulation.settle();
    assert.equal(simulation.log.length, asked);
    assert.ok(peer.subflows.every((line) => !line.endsWith("backup")));
    assert.equal(simulation.faults, 0);
  });

  it("refuses globs that are none", async () => {
    await assert.rejects(simulate(backup, { options: { interfaces: "wl[" } }), {
      name: "OptionsError",
      message: 'options:0: interfaces: "wl[" is not a glob: allowed are *, ? and [...]',
    });
  });
});
