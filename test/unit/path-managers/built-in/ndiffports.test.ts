import assert from "node:assert/strict";
import { describe, it } from "node:test";
import ndiffports from "../../../../src/path-managers/built-in/ndiffports.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";

const interfaces = { eth0: ["10.0.1.2", "fd00:1::2"], eth1: ["10.0.2.2"] };
const client = { from: "10.0.1.2", to: "10.0.9.9" };
const path = "10.0.1.2 > 10.0.9.9";

describe("ndiffports on the client side", () => {
  it("makes a second subflow on the path of the first one, with a port of its own", async () => {
    const simulation = await simulate(ndiffports, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [path, path]);
    const [connection] = simulation.connections;
    const ports = new Set(connection?.subflows.map(({ local }) => local.port));
    assert.equal(ports.size, 2);
  });

  it("makes as many as the option says, with the initial one", async () => {
    for (const subflows of [1, 5]) {
      const simulation = await simulate(ndiffports, { interfaces, options: { subflows: String(subflows) } });
      const peer = simulation.connect(client);
      await simulation.settle();
      assert.deepEqual(peer.subflows, Array(subflows).fill(path));
    }
  });

  it("counts those of its path only, whatever others have made elsewhere", async () => {
    const simulation = await simulate(ndiffports, { interfaces });
    const peer = simulation.connect({ ...client, established: false });
    peer.join({ from: "10.0.9.9", to: "10.0.1.2" });
    peer.join({ from: "10.0.9.10", to: "10.0.2.2" });
    peer.establish();
    await simulation.settle();
    assert.deepEqual(peer.subflows.filter((line) => line === path).length, 2);
  });

  it("works over IPv6", async () => {
    const simulation = await simulate(ndiffports, { interfaces });
    const peer = simulation.connect({ from: "fd00:1::2", to: "fd00:9::9" });
    await simulation.settle();
    assert.deepEqual(peer.subflows, Array(2).fill("fd00:1::2 > fd00:9::9"));
  });

  it("makes none where the peer takes no more to its first address, also when it announces another", async () => {
    const simulation = await simulate(ndiffports, { interfaces });
    const peer = simulation.connect({ ...client, denyJoinId0: true });
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [path]);
    assert.deepEqual(simulation.log, []);
  });

  it("has nothing to do with other interfaces", async () => {
    const simulation = await simulate(ndiffports, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    simulation.plug("eth2", ["10.0.3.2"]);
    simulation.unplug("eth1");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [path, path]);
  });
});

describe("ndiffports on the server side", () => {
  it("leaves it to the client", async () => {
    const simulation = await simulate(ndiffports, { interfaces });
    const peer = simulation.connect({ from: client.to, to: client.from });
    peer.join({ from: "10.0.9.9", to: "10.0.1.2" });
    await simulation.settle();
    assert.equal(peer.subflows.length, 2);
    assert.deepEqual(peer.announced, []);
  });
});

describe("ndiffports", () => {
  it("does not insist where peers refuse or are silent, nor makes again what is lost", async () => {
    for (const answer of ["refuse", "silence", "accept"] as const) {
      const simulation = await simulate(ndiffports, { interfaces, options: { subflows: "3" } });
      simulation.answer = () => answer;
      const peer = simulation.connect(client);
      await simulation.settle();
      await simulation.advance(60_000);
      if (answer === "accept") peer.breakSubflows("10.0.1.2");
      await simulation.settle();
      assert.equal(peer.subflows.length, answer === "accept" ? 0 : 1);
      assert.equal(simulation.faults, 0);
    }
  });

  it("makes only what is missing after a restart, and after lost events", async () => {
    const simulation = await simulate(ndiffports, { interfaces, options: { subflows: "3" } });
    const old = simulation.connect(client);
    await simulation.settle();
    simulation.stop();
    const young = simulation.connect(client);
    await simulation.start();
    await simulation.settle();
    assert.deepEqual([old.subflows.length, young.subflows.length], [3, 3]);
    const late = simulation.connect({ ...client, established: false });
    await simulation.loseEvents(() => late.establish());
    await simulation.settle();
    assert.equal(late.subflows.length, 3);
  });

  it("asks in vain for a connection of the kernel's path manager, which is no fault", async () => {
    const simulation = await simulate(ndiffports, { interfaces, pathManager: "kernel" });
    const peer = simulation.connect(client);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [path]);
    assert.deepEqual(
      simulation.log.map(({ level }) => level),
      ["warning"],
    );
    assert.equal(simulation.faults, 0);
  });

  it("refuses a number that is none", async () => {
    await assert.rejects(simulate(ndiffports, { options: { subflows: "many" } }), {
      name: "OptionsError",
      message: 'options:0: subflows: "many" is not a whole number from 1 to 255',
    });
  });
});
