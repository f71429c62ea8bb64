import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { errnoOf } from "../../../../src/kernel/netlink/errors.ts";
import { KernelBench } from "./bench.ts";

describe("the simulated kernel makes subflows", () => {
  it("that are there after a round trip, with the peer's id of its address", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    peer.announce(7, "10.0.9.10");
    await bench.create(connection, "10.0.2.2", 1, "10.0.9.10");
    await bench.clock.advance(19);
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9"]);
    await bench.clock.advance(1);
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.10"]);
    const event = bench.events.at(-1);
    assert.equal(event?.event, "subflowEstablished");
    assert.deepEqual("remoteId" in event && event.remoteId, 7);
  });

  it("unless the peer refuses: then they end with an error", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    bench.kernel.answer = () => "refuse";
    await bench.create(connection, "10.0.2.2", 1);
    await bench.clock.advance(20);
    const event = bench.events.at(-1);
    assert.equal(event?.event, "subflowClosed");
    assert.equal("error" in event && event.error, errnoOf("ECONNREFUSED"));
    assert.equal(connection.subflows.length, 1);
  });

  for (const [why, answer, carrier] of [
    ["the peer is silent", "silence", true],
    ["the interface has no carrier", "accept", false],
  ] as const)
    it(`and tries on where ${why}`, async () => {
      const bench = new KernelBench();
      const { connection } = bench.open();
      bench.kernel.answer = () => answer;
      bench.network.setCarrier("eth1", carrier);
      await bench.create(connection, "10.0.2.2", 1);
      await bench.clock.advance(100_000);
      assert.deepEqual(bench.events, []);
      assert.equal(connection.subflows.at(-1)?.established, false);
      const [outline] = await bench.kernel.dumpOutlines();
      assert.equal(outline?.subflows.at(-1)?.state, "syn-sent");
    });

  it("from addresses of this host only", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    await assert.rejects(bench.create(connection, "10.0.7.7", 1), { code: "EADDRNOTAVAIL" });
  });

  it("once a connection is established, not before", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    connection.established = false;
    await assert.rejects(bench.create(connection, "10.0.2.2", 1), { code: "ENOTCONN" });
    connection.established = true;
    await bench.create(connection, "10.0.2.2", 1);
  });

  it("of one family, and for an IPv4 socket of IPv4", async () => {
    const bench = new KernelBench();
    const old = bench.open().connection;
    const refused = { code: "EINVAL", message: /families mismatch/ };
    await assert.rejects(bench.create(old, "10.0.2.2", 1, "fd00:9::9"), refused);
    await assert.rejects(bench.create(old, "fd00:2::2", 1, "fd00:9::9"), refused);
    const young = bench.open("fd00:1::2", "fd00:9::9").connection;
    await bench.create(young, "fd00:2::2", 1, "fd00:9::9");
    await bench.create(young, "10.0.2.2", 2, "10.0.9.9");
    assert.equal(young.subflows.length, 3);
  });
});

describe("the simulated kernel takes commands", () => {
  it("in the order in which they are given", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    const { token } = connection;
    const announce = bench.kernel.announce({ token, address: "10.0.2.2", id: 1 });
    const remove = bench.kernel.remove({ token, id: 1 });
    await bench.order(Promise.all([announce, remove]));
    assert.deepEqual(peer.announced, []);
  });

  it("for subflows that it has: ESRCH where one is to end, EINVAL where it is to be backup", async () => {
    const bench = new KernelBench();
    const { connection } = bench.open();
    const ends = { local: { address: "10.0.2.2", port: 1 }, remote: { address: "10.0.9.9", port: 443 } };
    const key = { token: connection.token, ...ends };
    await assert.rejects(bench.order(bench.kernel.destroySubflow(key)), { code: "ESRCH" });
    const flags = endpointFlags.of("backup");
    await assert.rejects(bench.order(bench.kernel.setSubflowFlags({ ...key, flags })), { code: "EINVAL" });
  });

  it("to set and clear backup, which the peer sees", async () => {
    const bench = new KernelBench();
    const { connection, peer } = bench.open();
    const { token, local, remote } = connection;
    const set = (...names: "backup"[]) =>
      bench.order(bench.kernel.setSubflowFlags({ token, local, remote, flags: endpointFlags.of(...names) }));
    await set("backup");
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9 backup"]);
    await set();
    assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9"]);
  });

  it("not for connections that are not there, or that its own path manager has", async () => {
    const bench = new KernelBench();
    const gone = bench.order(bench.kernel.announce({ token: 1, address: "10.0.2.2", id: 1 }));
    await assert.rejects(gone, { code: "EINVAL", message: /connection 00000001: invalid token/ });
    bench.kernel.pathManager = "kernel";
    const { connection } = bench.open();
    bench.kernel.pathManager = "userspace";
    const refused = { code: "EINVAL", message: /userspace PM not selected/ };
    await assert.rejects(bench.create(connection, "10.0.2.2", 1), refused);
    await assert.rejects(bench.order(bench.kernel.dumpEndpoints(connection.token)), refused);
  });
});
