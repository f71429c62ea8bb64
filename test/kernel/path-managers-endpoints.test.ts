import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { Machine } from "../lab/machine.ts";
import { ManagedHost } from "../lab/managed-host.ts";
import { PluginDirectory } from "../lab/plugin-directory.ts";

describe("a path manager has a hand in endpoints:", { skip: requires() }, () => {
  let managed: ManagedHost;
  before(async () => {
    managed = await ManagedHost.started(undefined, "client");
  });
  beforeEach(() => managed.client.ip("mptcp endpoint flush"));
  after(() => managed.machine.lab.close());

  const show = () => managed.machine.show();

  it("adds them, with the interface of the address, and lists and gets them", async () => {
    const [list, one, none] = await managed.puppet.run(async ({ endpoints, network }) => {
      const local = network.addresses.find(({ address }) => address === "10.0.2.2");
      if (local === undefined) throw new Error("10.0.2.2 is not there");
      await endpoints.add({ address: "10.0.1.2", flags: ["subflow", "backup"], id: 7 });
      await endpoints.add({ address: local, flags: ["signal"], port: 999 });
      return [await endpoints.list(), await endpoints.get(7), await endpoints.get(99)];
    });
    assert.deepEqual(await show(), ["10.0.1.2 eth1 subflow,backup", "10.0.2.2 port 999 eth2 signal"]);
    assert.deepEqual(
      list.map(({ address, port }) => [address, port]),
      [
        ["10.0.1.2", 0],
        ["10.0.2.2", 999],
      ],
    );
    assert.deepEqual([one?.id, one?.address, none], [7, "10.0.1.2", null]);
  });

  it("changes their flags, and removes them, one and all", async () => {
    await managed.puppet.run(async ({ endpoints }) => {
      for (const [index, address] of ["10.0.1.2", "10.0.2.2", "fd00:1::2"].entries())
        await endpoints.add({ address, flags: ["subflow"], id: index + 1 });
      await endpoints.change(1, ["backup"]);
      await endpoints.change(2, ["fullmesh"]);
      await endpoints.change(2, []);
    });
    assert.deepEqual(await show(), [
      "10.0.1.2 eth1 subflow,backup",
      "10.0.2.2 eth2 subflow",
      "fd00:1::2 eth1 subflow",
    ]);
    await managed.puppet.run(({ endpoints }) => endpoints.remove(2));
    assert.deepEqual(await show(), ["10.0.1.2 eth1 subflow,backup", "fd00:1::2 eth1 subflow"]);
    await managed.puppet.run(({ endpoints }) => endpoints.flush());
    assert.deepEqual(await show(), []);
  });

  it("hears the kernel's own refusal", async () => {
    await managed.puppet.run(({ endpoints }) => endpoints.add({ address: "10.0.1.2", flags: ["subflow"] }));
    const refused = (action: () => Promise<unknown>, code: string, message: RegExp) =>
      assert.rejects(action(), { name: "KernelError", code, message });
    await refused(
      () => managed.puppet.run(({ endpoints }) => endpoints.add({ address: "10.0.1.2", flags: ["subflow"] })),
      "EEXIST",
      /^cannot add endpoint 10\.0\.1\.2: /,
    );
    await refused(
      () =>
        managed.puppet.run(async ({ endpoints }) => {
          const [one] = await endpoints.list();
          await endpoints.add({ address: "10.0.2.2", flags: ["subflow"], id: one?.id ?? 0 });
        }),
      "EBUSY",
      /^cannot add endpoint 10\.0\.2\.2: /,
    );
    await refused(
      () => managed.puppet.run(({ endpoints }) => endpoints.remove(77)),
      "EINVAL",
      /^cannot delete endpoint id 77: address not found/,
    );
  });

  it("may not change what somebody else has made, nor remove it, also not with all others", async () => {
    await managed.client.ip("mptcp endpoint add 10.0.1.2 id 50 subflow dev eth1");
    await managed.puppet.run(({ endpoints }) => endpoints.add({ address: "10.0.2.2", flags: ["subflow"] }));
    const theirs = { code: "EPERM", message: /10\.0\.1\.2 was not made by mptcpd/ };
    await assert.rejects(
      managed.puppet.run(({ endpoints }) => endpoints.remove(50)),
      theirs,
    );
    await assert.rejects(
      managed.puppet.run(({ endpoints }) => endpoints.change(50, ["backup"])),
      theirs,
    );
    await assert.rejects(
      managed.puppet.run(({ endpoints }) => endpoints.renew("10.0.1.2")),
      theirs,
    );
    await managed.puppet.run(({ endpoints }) => endpoints.flush());
    assert.deepEqual(await show(), ["10.0.1.2 eth1 subflow"]);
  });

  it("renews what it has added, with its id, and may still remove it after mptcpd was started again", async () => {
    await managed.puppet.run(async ({ endpoints }) => {
      await endpoints.add({ address: "10.0.2.2", flags: ["subflow", "backup"], id: 9 });
      await endpoints.renew("10.0.2.2");
    });
    assert.deepEqual(await show(), ["10.0.2.2 eth2 subflow,backup"]);
    await managed.machine.restart({ config: managed.puppet.config });
    await managed.puppet.run(({ endpoints }) => endpoints.remove(9));
    assert.deepEqual(await show(), []);
  });

  it("what it adds stays out of mptcpd's hands, also when that reads everything again", async () => {
    await managed.puppet.run(({ endpoints }) => endpoints.add({ address: "10.0.1.2", flags: ["subflow"] }));
    await managed.machine.settled();
    assert.deepEqual(await show(), ["10.0.1.2 eth1 subflow"]);
  });

  it("gets and sets limits", async () => {
    const limits = await managed.puppet.run(async (pm) => {
      await pm.limits.set({ subflows: 3, addAddrAccepted: 2 });
      return await pm.limits.get();
    });
    assert.deepEqual(limits, { subflows: 3, addAddrAccepted: 2 });
    assert.deepEqual(await managed.client.limits(), limits);
  });
});

describe("a path manager that wants endpoints", { skip: requires(), concurrency: 2 }, () => {
  const wishes = `import { definePathManager } from "mptcpd";
    export default definePathManager({
      name: "wishes",
      endpoints: (network) => network.addresses.map((address) => ({
        address,
        ...(address.interface === "eth2" ? { flags: ["signal"], port: 999 } : {}),
      })),
    });`;
  const faulty = `import { definePathManager } from "mptcpd";
    export default definePathManager({
      name: "faulty",
      endpoints: ({ addresses }) => addresses.map((address) => ({ address, flags: ["signal", "fullmesh"] })),
    });`;

  it("has them from the kernel's path manager, as the network comes and goes", async (t) => {
    const machine = await Machine.create(t, { eth1: ["10.0.1.2/24"], eth2: ["10.0.2.2/24"] });
    const directory = new PluginDirectory(machine.lab, { "wishes.js": wishes });
    await machine.start({ config: directory.config("path-manager=wishes") });
    await machine.has("10.0.1.2 eth1 subflow", "10.0.2.2 port 999 eth2 signal");
    await machine.ip("addr add 10.0.1.3/24 dev eth1");
    await machine.has("10.0.1.2 eth1 subflow", "10.0.1.3 eth1 subflow", "10.0.2.2 port 999 eth2 signal");
    await machine.ip("addr flush dev eth2 scope global");
    await machine.has("10.0.1.2 eth1 subflow", "10.0.1.3 eth1 subflow");
    assert.equal(await machine.host.sysctl("net.mptcp.pm_type"), "0");
  });

  it("keeps to [path] rules, which are ahead of it", async (t) => {
    const machine = await Machine.create(t, { eth1: ["10.0.1.2/24"], eth2: ["10.0.2.2/24"] });
    const directory = new PluginDirectory(machine.lab, { "wishes.js": wishes });
    const rules = "[path one]\nmatch-interface=eth1\nflags=subflow,backup\n[path two]\nignore=yes";
    await machine.start({ config: directory.config("path-manager=wishes", rules) });
    await machine.keeps("10.0.1.2 eth1 subflow,backup");
  });

  it("that the kernel would refuse is at fault, and when it is stopped the default takes its place", async (t) => {
    const machine = await Machine.create(t, { eth1: ["10.0.1.2/24"] });
    const directory = new PluginDirectory(machine.lab, { "faulty.js": faulty });
    await machine.start({ config: directory.config("path-manager=faulty\nplugin-faults=2") });
    await machine.daemon.waitForLine(
      /^error: faulty: endpoints failed: TypeError: endpoint 10\.0\.1\.2 has both signal and fullmesh.*; fault 1 of 2$/,
    );
    await machine.ip("addr add 10.0.1.3/24 dev eth1");
    await machine.daemon.waitForLine(/^error: faulty: stopped after too many faults$/);
    await machine.has("10.0.1.2 eth1 subflow", "10.0.1.3 eth1 subflow");
  });
});
