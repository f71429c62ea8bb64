import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { World } from "./fakes.ts";

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };

describe("limits", () => {
  it("that are not enough become the kernel's maximum, which the kernel names", async (t) => {
    for (const maximum of [8, 64]) {
      const world = new World(t);
      world.kernel.differ({ largestLimit: maximum });
      await world.become({ eth0 });
      assert.deepEqual(world.kernel.limits, { subflows: maximum, addAddrAccepted: maximum });
      assert.deepEqual(world.commands(), [`limits ${maximum}/${maximum}`, "add 10.0.0.1"]);
      assert.equal(world.said("error"), "");
    }
  });

  it("become 8 on a kernel that does not name its maximum", async (t) => {
    const world = new World(t);
    const set = world.kernel.setLimits.bind(world.kernel);
    world.kernel.setLimits = async (limits) => {
      if (limits.subflows > 8)
        throw new KernelError("set limits", 22, { message: "limit greater than maximum" });
      await set(limits);
    };
    await world.become({ eth0 });
    assert.deepEqual(world.kernel.limits, { subflows: 8, addAddrAccepted: 8 });
  });

  it("that the administrator set higher stay", async (t) => {
    const world = new World(t);
    world.kernel.limits = { subflows: 7, addAddrAccepted: 6 };
    await world.become({ eth0 });
    assert.deepEqual(world.kernel.limits, { subflows: 7, addAddrAccepted: 6 });
  });

  it("are never lowered: not even those that the administrator set a moment ago", async (t) => {
    const world = new World(t);
    world.kernel.differ({ largestLimit: 64 });
    world.kernel.limits = { subflows: 4, addAddrAccepted: 0 };
    world.config = { ...world.config, addressFlags: endpointFlags.of("signal") };
    await world.become({ eth0, eth1 });
    world.kernel.differ({ largestLimit: 32 });
    world.kernel.limits = { subflows: 4, addAddrAccepted: 50 };
    await world.become({ eth0, eth1, eth2: { addresses: ["10.0.2.1"] } });
    assert.ok(world.kernel.limits.addAddrAccepted >= 50, `${world.kernel.limits.addAddrAccepted}`);
    world.kernel.limits = { subflows: 64, addAddrAccepted: 50 };
    await world.become({ eth0, eth1, eth2: { addresses: ["10.0.2.1", "10.0.2.2"] } });
    assert.deepEqual(world.kernel.limits, { subflows: 64, addAddrAccepted: 50 });
  });

  it("are given back as the administrator had them last, not as they were at the start", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.kernel.limits = { subflows: 1, addAddrAccepted: 1 };
    await world.advance(30_000);
    assert.deepEqual(world.kernel.limits, { subflows: 8, addAddrAccepted: 8 });
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(world.kernel.limits, { subflows: 1, addAddrAccepted: 1 });
  });

  it("are given back with on-stop=remove, as they were found before the first start", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.startReconciler();
    await world.become({ eth0, eth1 });
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(world.kernel.limits, { subflows: 2, addAddrAccepted: 0 });
    assert.deepEqual(world.kernel.endpoints, []);
  });

  it("that somebody else changed since are left alone", async (t) => {
    const world = new World(t);
    await world.become({ eth0 });
    world.kernel.limits = { subflows: 6, addAddrAccepted: 1 };
    await world.reconciler.stop({ remove: true });
    assert.deepEqual(world.kernel.limits, { subflows: 6, addAddrAccepted: 1 });
  });

  it("that cannot be raised keep no endpoint back, are said once and tried again", async (t) => {
    const world = new World(t);
    let attempts = 0;
    world.kernel.beforeCommand = (command) => {
      if (command.startsWith("limits") && ++attempts < 3) throw new KernelError("set limits", 1);
    };
    await world.become({ eth0 });
    assert.deepEqual(world.kernel.addresses, ["10.0.0.1"]);
    for (const wait of [100, 200]) await world.advance(wait);
    assert.deepEqual(world.kernel.limits, { subflows: 8, addAddrAccepted: 8 });
    assert.equal(world.said("error").split("\n").length, 1);
    assert.equal(world.said("notice"), "raise the limits: worked at attempt 3");
  });

  describe("with limits=keep", () => {
    it("are never set", async (t) => {
      const world = new World(t);
      world.config = { ...world.config, limits: "keep" };
      world.kernel.limits = { subflows: 1, addAddrAccepted: 0 };
      await world.become({ eth0, eth1 });
      await world.advance(30_000);
      await world.reconciler.stop({ remove: true });
      assert.deepEqual(world.kernel.limits, { subflows: 1, addAddrAccepted: 0 });
      assert.deepEqual(world.commands(), ["add 10.0.0.1", "add 10.0.1.1", "delete 1", "delete 2"]);
    });

    it("from a reload on are those that the administrator had", async (t) => {
      const world = new World(t);
      await world.become({ eth0 });
      world.config = { ...world.config, limits: "keep" };
      await world.resync();
      assert.deepEqual(world.kernel.limits, { subflows: 2, addAddrAccepted: 0 });
      world.kernel.limits = { subflows: 3, addAddrAccepted: 1 };
      await world.resync();
      assert.deepEqual(world.kernel.limits, { subflows: 3, addAddrAccepted: 1 });
    });
  });
});
