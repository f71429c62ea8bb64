import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePathManager } from "../../../../src/path-managers/runtime/api.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";
import { adding, interfaces, oneConnection, witness } from "./witness.ts";

describe("what a path manager cannot know", () => {
  it("is told anew after a restart, with what was announced before", async () => {
    const { definition, told } = witness();
    const simulation = await simulate(definition, { interfaces });
    const peer = oneConnection(simulation);
    peer.announce(4, "10.0.9.10");
    peer.join({ from: "10.0.9.10", to: "10.0.2.2" });
    await simulation.settle();
    const [before] = simulation.connections;
    told.length = 0;
    await simulation.restart();
    assert.deepEqual(told, [
      ...["can use 10.0.1.2", "can use 10.0.2.2", "can use fd00:2::2"],
      ...["established 10.0.1.2", "announced 10.0.9.10 443", "subflow 10.0.2.2"],
    ]);
    const [after] = simulation.connections;
    assert.notEqual(before, after);
    assert.deepEqual(
      [after?.serverSide, after?.denyJoinId0, after?.announcedIsComplete],
      [false, false, false],
      "what was announced meanwhile, nobody has heard",
    );
  });

  it("happens while it is stopped, and is found by it", async () => {
    const { definition, told } = witness();
    const simulation = await simulate(definition, { interfaces });
    const old = oneConnection(simulation);
    await simulation.settle();
    simulation.stop();
    assert.throws(() => simulation.connections, /is stopped/);
    old.close();
    simulation.connect({ from: "10.0.2.2", to: "10.0.9.9" });
    await simulation.settle();
    told.length = 0;
    await simulation.start();
    assert.deepEqual(told.slice(3), ["established 10.0.2.2"]);
    const [young] = simulation.connections;
    assert.deepEqual([young?.serverSide, young?.denyJoinId0], [false, "unknown"]);
    assert.equal(young?.announcedIsComplete, false);
  });

  it("is lost with its events, and comes out when the sockets are read", async () => {
    const { definition, told } = witness();
    const simulation = await simulate(definition, { interfaces });
    const old = oneConnection(simulation);
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.8" });
    await simulation.settle();
    told.length = 0;
    await simulation.loseEvents(() => {
      old.close();
      peer.join({ from: "10.0.9.8", to: "10.0.2.2" });
      peer.breakSubflows("10.0.1.2");
      peer.announce(4, "10.0.9.10");
      simulation.connect({ from: "10.0.2.2", to: "10.0.9.7" });
    });
    assert.deepEqual(told.toSorted(), [
      ...["closed 10.0.1.2", "established 10.0.2.2", "lost 10.0.1.2 in order", "subflow 10.0.2.2"],
    ]);
    assert.ok(simulation.log.some(({ message }) => /dropped events/.test(message)));
    const [known] = simulation.connections;
    assert.equal(known?.announcedIsComplete, false, "an announcement may be among what was lost");
    peer.close();
    await simulation.settle();
    assert.equal(told.at(-1), "closed 10.0.1.2", "what follows is heard again");
  });

  it("is not what became of a subflow that it had asked for meanwhile", async () => {
    const { definition } = witness(adding);
    const simulation = await simulate(definition, { interfaces });
    await simulation.loseEvents(() => oneConnection(simulation));
    await simulation.settle();
    const [connection] = simulation.connections;
    assert.deepEqual(
      connection?.subflows.map(({ local, state }) => `${local.address} ${state}`),
      ["10.0.1.2 established", "10.0.2.2 established"],
    );
  });
});

describe("a simulation of the kernel's path manager", () => {
  it("takes no commands, which is no fault of who gives them", async () => {
    const simulation = await simulate(witness(adding).definition, { interfaces, pathManager: "kernel" });
    const peer = oneConnection(simulation);
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9"]);
    assert.equal(simulation.faults, 0);
    const [connection] = simulation.connections;
    assert.equal(connection?.pathManager, "kernel");
    const other = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9", pathManager: "userspace" });
    await simulation.settle();
    assert.equal(other.subflows.length, 2, "each connection has the one that it began with");
  });

  it("shows the endpoints that are wanted, and keeps those that the path manager makes", async () => {
    const definition = definePathManager({
      name: "endpoints",
      endpoints: (network) => network.addresses.map((address) => ({ address, flags: ["signal"] })),
      async setup(pm) {
        await pm.endpoints.add({ address: "10.0.1.2", flags: ["subflow"] });
        return {};
      },
    });
    const simulation = await simulate(definition, { interfaces });
    assert.deepEqual(simulation.wantedEndpoints, ["10.0.1.2 signal", "10.0.2.2 signal", "fd00:2::2 signal"]);
    const [made] = await simulation.endpoints.dumpEndpoints();
    assert.equal(`${made?.id} ${made?.address} ${made?.flags}`, "1 10.0.1.2 subflow");
  });
});
