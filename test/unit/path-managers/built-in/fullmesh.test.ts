import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fullmesh from "../../../../src/path-managers/built-in/fullmesh.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";

const interfaces = { eth0: ["10.0.1.2"], eth1: ["10.0.2.2"] };
const client = { from: "10.0.1.2", to: "10.0.9.9" };
const server = { from: client.to, to: client.from };
const first = ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9"];
const four = [
  ...["10.0.1.2 > 10.0.9.10", "10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.10", "10.0.2.2 > 10.0.9.9"],
];

describe("fullmesh on the client side", () => {
  it("makes a subflow from every address to the peer's first, and to each that it announces", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    assert.deepEqual(peer.subflows, first);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, four);
    assert.deepEqual(peer.announced, []);
    assert.deepEqual(simulation.log, []);
  });

  it("makes none twice, though an address is announced again or the network changes", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect(client);
    for (const id of [4, 5]) peer.announce(id, "10.0.9.10");
    await simulation.settle();
    simulation.cut("eth1");
    simulation.restore("eth1");
    await simulation.settle();
    assert.deepEqual(peer.subflows, four);
  });

  it("joins a port that is announced", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect(client);
    peer.announce(4, "10.0.9.9", 80);
    await simulation.settle();
    assert.deepEqual(peer.subflows, [
      ...["10.0.1.2 > 10.0.9.9", "10.0.1.2 > 10.0.9.9 port 80"],
      ...["10.0.2.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9 port 80"],
    ]);
  });

  it("meshes each family by itself", async () => {
    const both = { eth0: ["10.0.1.2", "fd00:1::2"], eth1: ["fd00:2::2"] };
    const simulation = await simulate(fullmesh, { interfaces: both });
    const peer = simulation.connect({ from: "fd00:1::2", to: "fd00:9::9" });
    peer.announce(4, "10.0.9.9");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [
      ...["10.0.1.2 > 10.0.9.9", "fd00:1::2 > fd00:9::9", "fd00:2::2 > fd00:9::9"],
    ]);
    assert.deepEqual(simulation.log, []);
  });

  it("leaves the peer's first address alone, where it does not take more there", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect({ ...client, denyJoinId0: true });
    await simulation.settle();
    assert.deepEqual(peer.subflows, first.slice(0, 1));
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, [
      ...["10.0.1.2 > 10.0.9.10", "10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.10"],
    ]);
  });

  it("meshes an address that comes later, and ends the subflows of one that is gone for good", async () => {
    const simulation = await simulate(fullmesh, { interfaces: { eth0: ["10.0.1.2"] } });
    const peer = simulation.connect(client);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    simulation.plug("eth1", ["10.0.2.2"]);
    await simulation.settle();
    assert.deepEqual(peer.subflows, four);
    simulation.unplug("eth1");
    await simulation.advance(1900);
    assert.deepEqual(peer.subflows, four);
    await simulation.advance(200);
    assert.deepEqual(peer.subflows, four.slice(0, 2));
  });

  it("has its mesh wherever it roams to, within the limit", async () => {
    const simulation = await simulate(fullmesh, { interfaces, options: { subflows: "2" } });
    const peer = simulation.connect(client);
    await simulation.settle();
    for (let i = 3; i < 20; i++) {
      simulation.removeAddress("eth1", `10.0.2.${i - 1}`);
      simulation.addAddress("eth1", `10.0.2.${i}`);
      await simulation.advance(700);
      assert.ok(peer.subflows.includes(`10.0.2.${i} > 10.0.9.9`));
    }
    await simulation.advance(3000);
    assert.deepEqual(peer.subflows, [first[0], "10.0.2.19 > 10.0.9.9"]);
    assert.deepEqual(simulation.log, []);
  });

  it("asks for what the connection's socket takes", async () => {
    const both = { eth0: ["10.0.1.2", "fd00:1::2"], eth1: ["10.0.2.2", "fd00:2::2"] };
    const meshed = async (dualStack: boolean, subflows: string) => {
      const simulation = await simulate(fullmesh, { interfaces: both, options: { subflows } });
      const peer = simulation.connect({ ...client, dualStack });
      peer.announce(4, "fd00:9::9");
      peer.announce(5, "10.0.9.10");
      await simulation.settle();
      assert.deepEqual(simulation.log, []);
      return peer.subflows;
    };
    assert.deepEqual(await meshed(false, "4"), four);
    assert.deepEqual(await meshed(true, "8"), [...four, "fd00:1::2 > fd00:9::9", "fd00:2::2 > fd00:9::9"]);
  });

  it("makes backup subflows from addresses whose [path] section says so", async () => {
    const config = "[path lte]\nmatch-interface=eth1\nflags=subflow,backup\n";
    const simulation = await simulate(fullmesh, { interfaces, config });
    const peer = simulation.connect(client);
    await simulation.settle();
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9 backup"]);
  });

  it("ends the mesh to an address that the peer withdraws, as the kernel does it", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect(client);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    peer.withdraw(4);
    await simulation.settle();
    assert.deepEqual(peer.subflows, first);
  });
});

describe("fullmesh on the server side", () => {
  it("announces its other addresses, and those that come later", async () => {
    const simulation = await simulate(fullmesh, { interfaces: { ...interfaces, eth2: ["fd00:3::2"] } });
    const peer = simulation.connect(server);
    await simulation.settle();
    assert.deepEqual(peer.announced, ["10.0.2.2", "fd00:3::2"]);
    simulation.addAddress("eth1", "10.0.2.3");
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.announced, ["10.0.2.2", "10.0.2.3", "fd00:3::2"]);
    assert.deepEqual(peer.subflows, first.slice(0, 1), "the client makes the subflows");
  });

  it("announces nothing with announce=no", async () => {
    const simulation = await simulate(fullmesh, { interfaces, options: { announce: "no" } });
    const peer = simulation.connect(server);
    await simulation.settle();
    assert.deepEqual(peer.announced, []);
  });

  it("announces again what it has announced before a restart, with the same ids", async () => {
    const simulation = await simulate(fullmesh, { interfaces: { ...interfaces, eth2: ["10.0.3.2"] } });
    const peer = simulation.connect(server);
    await simulation.settle();
    await simulation.restart();
    assert.deepEqual(peer.announced, ["10.0.2.2", "10.0.3.2"]);
    assert.deepEqual(simulation.log, []);
  });
});

describe("fullmesh makes no more subflows than the option says", () => {
  it("8 with the initial one, if it is not given, and each address has its share", async () => {
    const many = { a: ["10.0.1.2"], b: ["10.0.2.2"], c: ["10.0.3.2"] };
    const simulation = await simulate(fullmesh, { interfaces: many });
    simulation.answer = () => "silence";
    const peer = simulation.connect(client);
    for (let id = 1; id <= 4; id++) peer.announce(id, `10.0.9.${id}`);
    await simulation.settle();
    const [connection] = simulation.connections;
    const counts = Object.values(many).map(
      ([address]) => connection?.subflows.filter(({ local }) => local.address === address).length,
    );
    assert.deepEqual(counts, [3, 3, 2]);
  });

  it("and what fails gives its place to what has none", async () => {
    for (const answer of ["refuse", "silence"] as const) {
      const simulation = await simulate(fullmesh, { interfaces, options: { subflows: "3" } });
      simulation.answer = (_, to) => (to === "10.0.9.8" ? answer : "accept");
      const peer = simulation.connect(client);
      peer.announce(3, "10.0.9.8");
      await simulation.settle();
      peer.announce(4, "10.0.9.10");
      await simulation.settle();
      await simulation.advance(30_000);
      assert.deepEqual(peer.subflows, [four[0], ...first]);
      assert.ok(simulation.log.every(({ message }) => /to 10\.0\.9\.8 .*(REFUSED|TIMEDOUT)/.test(message)));
    }
  });

  it("and takes the place of one that has ended", async () => {
    const simulation = await simulate(fullmesh, { interfaces, options: { subflows: "2" } });
    const peer = simulation.connect(client);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(peer.subflows, first);
    peer.closeSubflows("10.0.1.2");
    peer.announce(5, "10.0.9.11");
    await simulation.settle();
    assert.equal(peer.subflows.length, 2);
  });

  it("which is a number from 1 to 255", async () => {
    const refused = (options: Record<string, string>, message: RegExp) =>
      assert.rejects(simulate(fullmesh, { options }), { name: "OptionsError", message });
    await refused({ subflows: "0" }, /^options:0: subflows: "0" is not a whole number from 1 to 255$/);
    await refused(
      { announce: "perhaps" },
      /^options:0: announce: "perhaps" is unknown: allowed are yes or no$/,
    );
    await refused({ subflow: "2" }, /subflow is not a key of \[plugin fullmesh\].*did you mean subflows/);
  });
});

describe("fullmesh", () => {
  it("waits until a connection is established", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect({ ...client, established: false });
    await simulation.settle();
    simulation.plug("eth2", ["10.0.4.2"]);
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    assert.deepEqual(simulation.log, []);
    peer.establish();
    await simulation.settle();
    assert.ok(peer.subflows.length > 1);
  });

  it("does not insist where peers refuse or are silent, and tells why", async () => {
    for (const [answer, why] of [
      ["refuse", /ECONNREFUSED/],
      ["silence", /ETIMEDOUT/],
    ] as const) {
      const simulation = await simulate(fullmesh, { interfaces });
      simulation.answer = () => answer;
      const peer = simulation.connect(client);
      await simulation.settle();
      await simulation.advance(60_000);
      assert.deepEqual(peer.subflows, first.slice(0, 1));
      assert.equal(simulation.log.length, 1);
      assert.match(simulation.log[0]?.message ?? "", why);
    }
  });

  it("does not make again what was lost, but with the next change of the network", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const peer = simulation.connect(client);
    await simulation.settle();
    peer.breakSubflows("10.0.2.2");
    await simulation.advance(60_000);
    assert.deepEqual(peer.subflows, first.slice(0, 1));
    simulation.cut("eth1");
    simulation.restore("eth1");
    await simulation.settle();
    assert.deepEqual(peer.subflows, first);
  });

  it("has its mesh after a restart, and after lost events", async () => {
    const simulation = await simulate(fullmesh, { interfaces });
    const old = simulation.connect(client);
    old.announce(4, "10.0.9.10");
    await simulation.settle();
    await simulation.restart();
    assert.deepEqual(old.subflows, four);
    const late = simulation.connect({ ...client, established: false });
    await simulation.loseEvents(() => late.establish());
    await simulation.settle();
    assert.deepEqual(late.subflows, first);
    assert.equal(simulation.faults, 0);
  });

  it("asks once for a connection of the kernel's path manager, and then leaves it alone", async () => {
    for (const side of [client, server]) {
      const simulation = await simulate(fullmesh, { interfaces, pathManager: "kernel" });
      const peer = simulation.connect(side);
      await simulation.settle();
      simulation.plug("eth2", ["10.0.4.2"]);
      peer.announce(4, "10.0.9.10");
      await simulation.settle();
      assert.deepEqual([peer.subflows, peer.announced], [first.slice(0, 1), []]);
      assert.equal(simulation.log.length, 1);
      assert.match(simulation.log[0]?.message ?? "", /userspace PM not selected/);
      assert.equal(simulation.faults, 0);
    }
  });
});
