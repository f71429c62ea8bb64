import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KernelBench, listed } from "./bench.ts";

const mismatch = { code: "EINVAL", message: /did not match address and id/ };
const notFound = { code: "EINVAL", message: /address with id 1 not found/ };

describe("the simulated kernel gives each connection its own address ids", () => {
  it("an address that a subflow goes from is listed with its id", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    await bench.create(connection, "10.0.2.2", 3);
    assert.deepEqual(listed(connection), ["3 10.0.2.2"]);
    const [entry] = await bench.order(bench.kernel.dumpEndpoints(connection.token));
    assert.deepEqual([entry?.id, entry?.address], [3, "10.0.2.2"]);
  });

  it("an address has one id, and an id one address", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    await bench.create(connection, "10.0.2.2", 1);
    await bench.create(connection, "10.0.2.2", 1);
    await assert.rejects(bench.create(connection, "10.0.2.2", 2), mismatch);
    await assert.rejects(bench.create(connection, "10.0.1.2", 1), mismatch);
    assert.deepEqual(listed(connection), ["1 10.0.2.2"]);
  });

  it("a port that is announced has an id of its own", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    const { token } = connection;
    const announce = (id: number, port?: number) =>
      bench.order(bench.kernel.announce({ token, address: "10.0.2.2", id, ...(port && { port }) }));
    await announce(1);
    await assert.rejects(announce(1, 80), mismatch);
    await announce(2, 80);
    assert.deepEqual(listed(connection), ["1 10.0.2.2", "2 10.0.2.2 port 80"]);
    assert.deepEqual(peer.announced, ["10.0.2.2", "10.0.2.2 port 80"]);
  });

  it("id 0 is the first address and cannot be announced", async () => {
    const bench = new KernelBench();
    const { token } = bench.open().connection;
    const announced = bench.order(bench.kernel.announce({ token, address: "10.0.2.2", id: 0 }));
    await assert.rejects(announced, { code: "EINVAL", message: /invalid addr id/ });
  });

  it("a peer that joins a new address gets the lowest free id; the first address has 0 all the same", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    await bench.create(connection, "10.0.2.2", 2);
    for (const to of ["10.0.3.2", "10.0.4.2", "10.0.2.2", "10.0.1.2"]) peer.join({ from: "10.0.9.9", to });
    assert.deepEqual(listed(connection), ["2 10.0.2.2", "1 10.0.3.2", "3 10.0.4.2"]);
    assert.deepEqual(
      connection.subflows.slice(2).map(({ localId }) => localId),
      [1, 3, 2, 0],
    );
  });

  it("what ends one of several subflows takes the address off the list, which cannot be withdrawn then", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    const { token } = connection;
    await bench.create(connection, "10.0.2.2", 1);
    await bench.create(connection, "10.0.2.2", 1);
    await bench.clock.advance(20);
    const [, first] = connection.subflows;
    assert.ok(first);
    await bench.order(bench.kernel.destroySubflow({ token, local: first.local, remote: first.remote }));
    assert.equal(connection.subflows.length, 2);
    assert.deepEqual(listed(connection), []);
    await assert.rejects(bench.order(bench.kernel.remove({ token, id: 1 })), notFound);
  });

  it("takes only one entry of an address off it, with whatever port", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    const { token } = connection;
    await bench.order(bench.kernel.announce({ token, address: "10.0.7.7", id: 1, port: 80 }));
    await bench.order(bench.kernel.announce({ token, address: "10.0.7.7", id: 2 }));
    await assert.rejects(bench.create(connection, "10.0.7.7", 2), { code: "EADDRNOTAVAIL" });
    assert.deepEqual(listed(connection), ["2 10.0.7.7"]);
  });

  it("a subflow that the peer closes leaves its address on the list", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    await bench.create(connection, "10.0.2.2", 1);
    peer.closeSubflows("10.0.2.2");
    assert.deepEqual(listed(connection), ["1 10.0.2.2"]);
  });

  it("an address that is withdrawn loses its id and its subflows, and no others", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    const { token } = connection;
    await bench.create(connection, "10.0.2.2", 1);
    await bench.create(connection, "10.0.1.2", 0);
    await bench.clock.advance(20);
    await bench.order(bench.kernel.remove({ token, id: 1 }));
    assert.deepEqual(listed(connection), ["0 10.0.1.2"]);
    // By the peer, if nobody does before.
    await bench.clock.advance(20);
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9", "10.0.1.2 > 10.0.9.9"]);
  });

  it("id 0 can be withdrawn, also when no subflow has it any more", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    const { token } = connection;
    await bench.order(bench.kernel.remove({ token, id: 0 }));
    await bench.clock.advance(20);
    assert.deepEqual(peer.subflows, []);
    await bench.order(bench.kernel.remove({ token, id: 0 }));
  });
});
