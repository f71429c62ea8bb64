import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { findCapacity } from "../lab/capacity.ts";
import { addForeign, first, foreign, removeAtStop, twoAddresses } from "../lab/examples.ts";
import { Machine } from "../lab/machine.ts";

const options = { skip: requires(), concurrency: 4 };

describe("whose endpoints are whose", options, () => {
  describe("what others do to our endpoints is mended", () => {
    it("one that was deleted comes back under its id, one that was changed is changed back", async (t) => {
      const machine = await Machine.create(t, twoAddresses);
      await machine.start();
      const before = await machine.host.endpoints();
      await machine.ip("mptcp endpoint del id 1");
      await machine.ip("mptcp endpoint change id 2 backup");
      await machine.reload();
      assert.deepEqual(await machine.host.endpoints(), before);
      assert.deepEqual(machine.problems, [
        "warning: endpoint 1 10.0.0.1 dev eth0 subflow: deleted by somebody else",
        "warning: endpoint 2 10.0.0.2 dev eth0 subflow: changed by somebody else",
      ]);
      await machine.reload();
      assert.equal(machine.problems.length, 2);
    });

    it("one that somebody replaced by his own is his", async (t) => {
      const machine = await Machine.create(t);
      await machine.start();
      await machine.host.ipBatch(["mptcp endpoint del id 1", "mptcp endpoint add 10.0.0.1 id 1 signal"]);
      await machine.keeps("10.0.0.1 - signal");
      await machine.ip("addr del 10.0.0.1/24 dev eth0");
      await machine.keeps("10.0.0.1 - signal");
    });
  });

  describe("endpoints of others", () => {
    it("are never touched, whatever happens", async (t) => {
      const machine = await Machine.create(t, { eth0: ["10.0.0.1/24"], eth1: ["10.0.1.1/24"] });
      // With the address and the id that we would take, with our device and flags, with a port, with neither.
      await machine.ip("mptcp endpoint add 10.0.0.1 id 1 dev eth0 subflow");
      await machine.ip("mptcp endpoint add 10.0.1.1 id 2 port 1001 signal");
      await machine.ip(addForeign);
      const read = async () =>
        (await machine.host.endpoints())
          .filter(({ id }) => [1, 2, 200].includes(id))
          .map(({ id, address, port, flags }) => ({ id, address, port, flags }));
      const others = await read();
      const untouched = async (situation: string) => {
        await machine.reload();
        assert.deepEqual(await read(), others, situation);
      };
      await machine.start({ config: removeAtStop });
      await untouched("start");
      await machine.has(first, "10.0.1.1 port 1001 - signal", foreign, "10.0.1.1 eth1 subflow");
      await machine.ip("addr del 10.0.0.1/24 dev eth0");
      await untouched("address gone");
      await machine.ip("addr add 10.0.0.1/24 dev eth0");
      await untouched("address back");
      await machine.ip("link set eth0 down");
      await machine.cable("eth1").cut();
      await untouched("links down");
      await machine.ip("link set eth0 up");
      await machine.reload(`${removeAtStop}addr-flags=signal\n`);
      await untouched("flags changed");
      await machine.daemon.kill();
      await machine.start({ config: removeAtStop });
      await untouched("crash");
      await machine.restart({ config: removeAtStop });
      await untouched("on-stop=remove");
      await machine.ip("link del eth0");
      await machine.ip("link del eth1");
      await untouched("interfaces deleted");
    });

    it("count as serving their address: nothing is tried and no error is logged", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp endpoint add 10.0.0.1 id 9 signal");
      await machine.start();
      await machine.keeps("10.0.0.1 - signal");
      assert.deepEqual(machine.daemon.lines, ["notice: ready", "notice: configuration reloaded"]);
    });

    it("are followed by ours when they go", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp endpoint add 10.0.0.1 id 9 signal");
      await machine.start();
      await machine.ip("mptcp endpoint del id 9");
      await machine.reload();
      assert.deepEqual(await machine.show(), [first]);
    });

    it("may have all slots, and one of them our address with a port: ours waits without a complaint", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp endpoint add 10.0.0.1 port 1001 signal");
      const most = await findCapacity();
      for (let i = 1; i < most; i++) await machine.ip(`mptcp endpoint add 192.0.2.${i} id ${100 + i} signal`);
      await machine.start();
      await machine.reload();
      assert.deepEqual(machine.problems, []);
      assert.equal((await machine.host.endpoints()).length, most);
      await machine.ip("mptcp endpoint del id 101");
      await machine.reload();
      assert.ok((await machine.show()).includes(first), machine.daemon.output);
    });
  });

  describe("mptcpctl adopt hands endpoints of others to it, which it then keeps true", () => {
    const adopt = (machine: Machine, ...words: readonly string[]) =>
      machine.host.run(
        process.execPath,
        join(checkout, "dist/mptcpctl.js"),
        ...["adopt", "--runtime-dir", machine.runtimeDirectory, ...words],
      );

    for (const running of [true, false]) {
      it(`${running ? "while it runs" : "before it is started"}: all of them`, async (t) => {
        const machine = await Machine.create(t);
        await machine.ip("mptcp endpoint add 10.0.0.1 id 7 dev eth0 subflow");
        await machine.ip("mptcp endpoint add 10.9.9.9 id 8 dev eth0 subflow");
        if (running) await machine.start();
        await adopt(machine, "--all");
        if (!running) await machine.start();
        await machine.has(first);
        assert.equal((await machine.endpoint("10.0.0.1")).id, 7);
        await machine.ip("addr del 10.0.0.1/24 dev eth0");
        await machine.has();
      });
    }

    it("one address: the others stay foreign", async (t) => {
      const machine = await Machine.create(t);
      await machine.ip("mptcp endpoint add 10.0.0.1 id 7 dev eth0 subflow");
      await machine.ip(addForeign);
      await machine.start();
      await adopt(machine, "10.0.0.1");
      await machine.daemon.waitForLine(/^notice: endpoint 7 10\.0\.0\.1: adopted$/);
      await machine.ip("addr del 10.0.0.1/24 dev eth0");
      await machine.keeps(foreign);
    });
  });

  it("an address that comes back has the id that it had", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "10.0.1.1/24", "10.0.2.1/24"] });
    await machine.start();
    const before = await machine.host.endpoints();
    for (const address of ["10.0.0.1/24", "10.0.1.1/24"]) await machine.ip(`addr del ${address} dev eth0`);
    await machine.has("10.0.2.1 eth0 subflow");
    for (const address of ["10.0.1.1/24", "10.0.0.1/24"]) await machine.ip(`addr add ${address} dev eth0`);
    await machine.has(first, "10.0.1.1 eth0 subflow", "10.0.2.1 eth0 subflow");
    assert.deepEqual(await machine.host.endpoints(), before);
  });
});
