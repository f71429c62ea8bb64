import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fullmesh from "../../../../src/path-managers/built-in/fullmesh.ts";
import {
  definePathManager,
  type Handlers,
  type PathManager,
} from "../../../../src/path-managers/runtime/api.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";
import { adding, interfaces, oneConnection, witness } from "./witness.ts";

describe("a simulated host", () => {
  it("tells of its addresses at the start, and of those that come and go", async () => {
    const { definition, told } = witness();
    const simulation = await simulate(definition, { interfaces });
    simulation.cut("eth0");
    simulation.restore("eth0");
    simulation.removeAddress("eth1", "fd00:2::2");
    simulation.plug("wlan0", { addresses: ["10.0.3.2"], kind: "wlan" });
    simulation.addAddress("wlan0", "fd00:3:0::2");
    simulation.unplug("eth1");
    assert.deepEqual(told, [
      ...["can use 10.0.1.2", "can use 10.0.2.2", "can use fd00:2::2"],
      ...["cannot use 10.0.1.2", "can use 10.0.1.2"],
      ...["cannot use fd00:2::2", "can use 10.0.3.2", "can use fd00:3::2", "cannot use 10.0.2.2"],
    ]);
    assert.deepEqual(
      simulation.network.uplinks.map(({ name, kind }) => `${name} ${kind}`),
      ["eth0 physical", "wlan0 wlan"],
    );
  });

  it("takes the rules of a configuration", async () => {
    const config = "[path no]\nmatch-interface=eth1\nignore=yes\n";
    const { network } = await simulate(witness().definition, { interfaces, config });
    assert.deepEqual(
      network.addresses.map(({ address }) => address),
      ["10.0.1.2"],
    );
  });

  it("refuses what makes no sense, so that a test does not pass by a slip of the pen", async () => {
    const simulation = await simulate(witness().definition, { interfaces });
    assert.throws(() => simulation.cut("eth7"), /no interface eth7/);
    assert.throws(() => simulation.plug("eth0", []), /has an interface eth0 already/);
    assert.throws(() => simulation.addAddress("eth0", "10.0.1"), /"10.0.1" is no IP address/);
    assert.throws(() => simulation.removeAddress("eth0", "10.0.2.2"), /eth0 has no address 10.0.2.2/);
    assert.throws(() => oneConnection(simulation).breakSubflows("10.0.7.7"), /no subflow from 10.0.7.7/);
    const peer = oneConnection(simulation);
    assert.throws(
      () => peer.announce(300, "10.0.9.9"),
      /^Error: 300 is no address id: allowed are 0 to 255$/,
    );
    assert.throws(() => peer.announce(3, "x"), /"x" is no IP address/);
    assert.throws(() => peer.announce(3, "10.0.9.9", 1.5), /^Error: 1.5 is no port: allowed are 0 to 65535$/);
    assert.throws(() => peer.join({ from: "x", to: "10.0.1.2" }), /"x" is no IP address/);
    await assert.rejects(simulation.start(), /runs already/);
  });

  it("has peers that answer in one of three ways", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    simulation.answer = () => JSON.parse('"bogus"');
    oneConnection(simulation);
    await assert.rejects(simulation.settle(), {
      message: '"bogus" is no answer of a peer: allowed are accept, refuse, silence',
    });
  });
});

describe("a simulated peer", () => {
  it("does what peers do, and it is told in the order in which it happens", async () => {
    const { definition, told } = witness();
    const simulation = await simulate(definition, { interfaces });
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9", established: false });
    await simulation.settle();
    told.length = 0;
    peer.establish();
    peer.announce(4, "10.0.9.10");
    peer.join({ from: "10.0.9.10", to: "10.0.2.2" });
    peer.setBackup("10.0.2.2", true);
    peer.breakSubflows("10.0.1.2", "ETIMEDOUT");
    peer.withdraw(4);
    peer.close();
    await simulation.settle();
    assert.deepEqual(told, [
      ...["established 10.0.1.2", "announced 10.0.9.10 443", "subflow 10.0.2.2", "backup 10.0.2.2 true"],
      ...["lost 10.0.1.2 ETIMEDOUT", "withdrawn 10.0.9.10", "lost 10.0.2.2 in order", "closed 10.0.1.2"],
    ]);
  });

  it("ends the subflows to an address that it withdraws", async () => {
    const { definition, told } = witness((pm) => ({
      newAddress: (connection, to) => pm.createSubflow(connection, { from: "10.0.2.2", to }),
    }));
    const simulation = await simulate(definition, { interfaces });
    const peer = oneConnection(simulation);
    peer.announce(4, "10.0.9.10", 80);
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.10 port 80"]);
    peer.withdraw(4);
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9"]);
    assert.equal(told.at(-1), "lost 10.0.2.2 in order");
  });

  it("may give an id that it has withdrawn to another address", async () => {
    const { definition } = witness((pm) => ({
      newAddress: (connection, to) => pm.createSubflow(connection, { from: "10.0.2.2", to }),
    }));
    const simulation = await simulate(definition, { interfaces });
    const peer = oneConnection(simulation);
    peer.announce(4, "10.0.9.10");
    peer.withdraw(4);
    peer.announce(4, "10.0.9.11");
    await simulation.settle();
    peer.join({ from: "10.0.9.10", to: "10.0.2.2" });
    peer.withdraw(4);
    await simulation.settle();
    const left = peer.subflows.filter((line) => line.startsWith("10.0.2.2"));
    assert.match(left.join(), /^10.0.2.2 > 10.0.9.10( port \d+)?(,10.0.2.2 > 10.0.9.10 port \d+)?$/);
  });

  it("may be a client of this host", async () => {
    const simulation = await simulate(witness().definition, { interfaces });
    simulation.connect({ from: "10.0.9.9", to: "10.0.1.2", port: 80, denyJoinId0: true });
    await simulation.settle();
    const [connection] = simulation.connections;
    assert.equal(connection?.local.port, 80);
    assert.deepEqual([connection?.serverSide, connection?.denyJoinId0], [true, true]);
    const strange = { from: "10.0.9.9", to: "10.0.9.8" };
    assert.throws(() => simulation.connect(strange), /has neither 10\.0\.9\.9 nor 10\.0\.9\.8/);
  });

  it("answers as the test has it", async () => {
    const { definition, told } = witness(adding);
    const simulation = await simulate(definition, { interfaces });
    simulation.answer = (from, to) => (from === "10.0.2.2" && to === "10.0.9.9" ? "refuse" : "accept");
    const peer = oneConnection(simulation);
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9"]);
    assert.match(simulation.log.at(-1)?.message ?? "", /the peer refuses \(ECONNREFUSED\)/);
    assert.equal(told.includes("lost 10.0.2.2 ECONNREFUSED"), false, "who asked was told");
  });
});

describe("time in a simulation", () => {
  it("passes only as far as what happens takes time", async () => {
    const simulation = await simulate(witness(adding).definition, { interfaces });
    await simulation.settle();
    assert.equal(simulation.now, 0);
    const peer = oneConnection(simulation);
    await simulation.settle();
    assert.equal(peer.subflows.length, 2);
    assert.equal(simulation.now, 20);
    await simulation.advance(5);
    assert.equal(simulation.now, 25);
  });

  it("does not wait for timers, nor for a peer that is silent", async () => {
    const { definition } = witness((pm) => {
      pm.every(1000, () => pm.log.notice("tick"));
      return adding(pm);
    });
    const simulation = await simulate(definition, { interfaces });
    simulation.answer = () => "silence";
    oneConnection(simulation);
    await simulation.settle();
    assert.ok(simulation.now < 1000);
    await simulation.advance(2000);
    assert.equal(simulation.log.filter(({ message }) => message.endsWith("tick")).length, 2);
  });

  it("is given to a setup that takes some, and the host gives it up in the end", async () => {
    const slow = definePathManager({
      name: "slow",
      setup: async (pm) => {
        await pm.sleep(3000);
        return adding(pm);
      },
    });
    const simulation = await simulate(slow, { interfaces });
    const peer = oneConnection(simulation);
    await simulation.settle();
    assert.equal(peer.subflows.length, 2);
    const never = definePathManager({ name: "never", setup: () => new Promise(() => undefined) });
    assert.equal((await simulate(never)).faults, 1);
  });

  it("does not go by for ever: a path manager that goes on and on is a failure of the test", async () => {
    const insisting = (pm: PathManager): Handlers => ({
      async connectionEstablished(connection) {
        while (!connection.uses("10.0.7.7"))
          await pm.createSubflow(connection, { from: "10.0.7.7" }).catch(() => undefined);
      },
    });
    const simulation = await simulate(witness(insisting).definition, { interfaces });
    oneConnection(simulation);
    await assert.rejects(simulation.settle(), /time stands still/);
  });

  it("nor where each of its attempts takes time", async () => {
    const insisting = (pm: PathManager): Handlers => ({
      async connectionEstablished(connection) {
        while (!connection.uses("10.0.2.2"))
          await pm.createSubflow(connection, { from: "10.0.2.2" }).catch(() => undefined);
      },
    });
    const simulation = await simulate(witness(insisting).definition, { interfaces });
    simulation.answer = () => "refuse";
    oneConnection(simulation);
    await assert.rejects(simulation.settle(), /does not settle: the path manager goes on and on/);
  });
});
