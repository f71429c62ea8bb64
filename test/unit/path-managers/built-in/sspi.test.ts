import assert from "node:assert/strict";
import { describe, it } from "node:test";
import sspi from "../../../../src/path-managers/built-in/sspi.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";

const interfaces = { eth0: ["10.0.1.2"], eth1: ["10.0.2.2", "10.0.2.3"], wlan0: ["10.0.3.2"] };
const client = { from: "10.0.1.2", to: "10.0.9.9" };
const server = { from: client.to, to: client.from };
const all = ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9", "10.0.3.2 > 10.0.9.9"];

const lines = ({ log }: Awaited<ReturnType<typeof simulate>>) =>
  log.map(({ level, message }) => `${level}: ${message}`);

describe("sspi on the client side", () => {
  it("adds a subflow from every other interface, from its best address", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    assert.deepEqual(peer.subflows, all);
    assert.deepEqual(peer.announced, []);
    assert.deepEqual(lines(simulation), []);
  });

  it("uses an interface that comes later, and again one that has lost its subflow meanwhile", async () => {
    const simulation = await simulate(sspi, { interfaces: { eth0: ["10.0.1.2"] } });
    const peer = simulation.connect(client);
    await simulation.settle();
    simulation.plug("eth1", ["10.0.2.2"]);
    await simulation.settle();
    assert.deepEqual(peer.subflows, all.slice(0, 2));
    simulation.cut("eth1");
    peer.breakSubflows("10.0.2.2", "ETIMEDOUT");
    await simulation.settle();
    simulation.restore("eth1");
    await simulation.settle();
    assert.deepEqual(peer.subflows, all.slice(0, 2));
  });

  it("adds none where a cut interface still has its own", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    simulation.answer = () => assert.fail("it has asked for a subflow");
    simulation.cut("eth1");
    simulation.restore("eth1");
    simulation.addAddress("eth1", "10.0.2.4");
    await simulation.settle();
    assert.deepEqual(peer.subflows, all);
  });

  it("takes the family that reaches the peer", async () => {
    const both = { eth0: ["10.0.1.2", "fd00:1::2"], eth1: ["10.0.2.2", "fd00:2::2"], eth2: ["10.0.3.2"] };
    const simulation = await simulate(sspi, { interfaces: both });
    const peer = simulation.connect({ from: "fd00:1::2", to: "fd00:9::9" });
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["fd00:1::2 > fd00:9::9", "fd00:2::2 > fd00:9::9"]);
    assert.deepEqual(lines(simulation), []);
    peer.announce(4, "10.0.9.9");
    await simulation.settle();
    assert.equal(peer.subflows[0], "10.0.3.2 > 10.0.9.9", "what cannot reach it yet waits for an address");
  });

  it("waits for an announced address, where the peer takes none to its first", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect({ ...client, denyJoinId0: true });
    await simulation.settle();
    assert.deepEqual(peer.subflows, all.slice(0, 1));
    peer.announce(4, "10.0.9.10", 80);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [
      ...["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.10 port 80", "10.0.3.2 > 10.0.9.10 port 80"],
    ]);
    peer.announce(5, "10.0.9.11");
    await simulation.settle();
    assert.equal(peer.subflows.length, 3);
  });
});

describe("sspi on the server side", () => {
  it("announces an address of every other interface, and of those that come later", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(server);
    await simulation.settle();
    simulation.plug("eth2", ["10.0.4.2"]);
    await simulation.settle();
    assert.deepEqual(peer.announced, ["10.0.2.2", "10.0.3.2", "10.0.4.2"]);
    assert.deepEqual(peer.subflows, all.slice(0, 1));
  });

  it("prefers the family that the connection has", async () => {
    const both = { eth0: ["fd00:1::2"], eth1: ["10.0.2.2", "fd00:2::2"], eth2: ["10.0.3.2"] };
    const simulation = await simulate(sspi, { interfaces: both });
    const peer = simulation.connect({ from: "fd00:9::9", to: "fd00:1::2" });
    await simulation.settle();
    assert.deepEqual(peer.announced, ["10.0.3.2", "fd00:2::2"]);
  });

  it("lets the peer join other interfaces", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(server);
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    assert.deepEqual(peer.subflows.length, 2);
  });

  it("does not answer the peer's own announcements", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(server);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, all.slice(0, 1));
  });
});

describe("sspi ends", () => {
  it("a further subflow on an interface that has one, whoever made it", async () => {
    for (const side of [client, server]) {
      const simulation = await simulate(sspi, { interfaces: { eth0: ["10.0.1.2", "10.0.1.3"] } });
      const peer = simulation.connect(side);
      peer.join({ from: "10.0.9.9", to: "10.0.1.2" });
      peer.join({ from: "10.0.9.9", to: "10.0.1.3" });
      await simulation.settle();
      assert.deepEqual(peer.subflows, all.slice(0, 1));
    }
  });

  it("all but one of those that are told at once", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    simulation.stop();
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    peer.join({ from: "10.0.9.10", to: "10.0.2.3" });
    peer.join({ from: "10.0.9.11", to: "10.0.1.2" });
    await simulation.start();
    await simulation.settle();
    assert.deepEqual(
      peer.subflows.map((line) => line.slice(0, "10.0.1.".length)),
      ["10.0.1.", "10.0.2.", "10.0.3."],
    );
  });

  it("the one whose address is gone, and not the one that takes its place", async () => {
    for (const isBefore of [true, false]) {
      const simulation = await simulate(sspi, { interfaces: { eth0: ["10.0.1.2"], eth1: ["10.0.2.2"] } });
      const peer = simulation.connect(client);
      await simulation.settle();
      const add = () => simulation.addAddress("eth1", "10.0.2.22");
      if (isBefore) add();
      simulation.removeAddress("eth1", "10.0.2.2");
      if (!isBefore) add();
      await simulation.advance(10_000);
      assert.deepEqual(peer.subflows, [all[0], "10.0.2.22 > 10.0.9.9"]);
      assert.deepEqual(lines(simulation), []);
    }
  });

  it("it also where it was the only interface, as soon as the new address has a subflow", async () => {
    const simulation = await simulate(sspi, { interfaces: { eth0: ["10.0.1.2"] } });
    const peer = simulation.connect(client);
    await simulation.settle();
    simulation.removeAddress("eth0", "10.0.1.2");
    await simulation.advance(10_000);
    assert.deepEqual(peer.subflows, all.slice(0, 1));
    simulation.addAddress("eth0", "10.0.1.22");
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["10.0.1.22 > 10.0.9.9"]);
  });

  it("none for the sake of one that is only asked for", async () => {
    const simulation = await simulate(sspi, { interfaces });
    simulation.answer = () => "silence";
    const peer = simulation.connect(client);
    await simulation.settle();
    peer.join({ from: "10.0.9.9", to: "10.0.2.2" });
    await simulation.settle();
    assert.equal(peer.subflows.length, 2);
  });

  it("none on an interface that it does not know", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect(server);
    peer.join({ from: "10.0.9.9", to: "10.0.7.7" });
    peer.join({ from: "10.0.9.9", to: "10.0.7.7" });
    await simulation.settle();
    assert.equal(peer.subflows.length, 3);
  });
});

describe("sspi", () => {
  it("waits until a connection is established", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const peer = simulation.connect({ ...client, established: false });
    await simulation.settle();
    simulation.plug("eth2", ["10.0.4.2"]);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(lines(simulation), []);
    peer.establish();
    await simulation.settle();
    assert.equal(peer.subflows.length, 4);
  });

  it("does not insist where peers refuse or are silent", async () => {
    for (const answer of ["refuse", "silence"] as const) {
      const simulation = await simulate(sspi, { interfaces });
      simulation.answer = () => answer;
      const peer = simulation.connect(client);
      await simulation.settle();
      await simulation.advance(60_000);
      assert.deepEqual(peer.subflows, all.slice(0, 1));
      const [connection] = simulation.connections;
      assert.equal(connection?.subflows.length, 1);
      assert.equal(simulation.faults, 0);
    }
  });

  it("has what it should have after a restart, and after lost events", async () => {
    const simulation = await simulate(sspi, { interfaces });
    const first = simulation.connect(client);
    await simulation.settle();
    await simulation.restart();
    assert.deepEqual(first.subflows, all);
    let second: typeof first | undefined;
    await simulation.loseEvents(() => {
      second = simulation.connect(client);
    });
    await simulation.settle();
    assert.deepEqual(second?.subflows, all);
    assert.equal(simulation.faults, 0);
  });

  it("leaves connections of the kernel's path manager alone, once it knows", async () => {
    const simulation = await simulate(sspi, { interfaces, pathManager: "kernel" });
    const peer = simulation.connect(client);
    await simulation.settle();
    const said = lines(simulation).length;
    simulation.plug("eth2", ["10.0.4.2"]);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, all.slice(0, 1));
    assert.equal(lines(simulation).length, said);
    assert.equal(simulation.faults, 0);
  });

  it("takes no options", async () => {
    await assert.rejects(
      simulate(sspi, { options: { subflows: "2" } }),
      /^OptionsError: options:0: sspi takes no options$/,
    );
  });
});
