import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, hourly, Machine } from "../lab/machine.ts";

describe("the list of endpoints follows", { skip: requires(), concurrency: 4 }, () => {
  it("addresses that come and go", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0");
    const addresses = ["10.0.1.2", "10.0.1.3", "2001:db8:1::2"];
    await machine.host.ipBatch(addresses.map((address) => `addr add ${address}/24 dev eth0`));
    await machine.hasEndpointsAt(addresses);
    await machine.ip("addr del 10.0.1.3/24 dev eth0");
    await machine.hasEndpointsAt(["10.0.1.2", "2001:db8:1::2"]);
    await machine.ip("addr flush dev eth0");
    await machine.hasEndpointsAt([]);
  });

  it("secondary addresses, which go with the first of their network", async (t) => {
    const machine = await Machine.started(t);
    await machine.host.sysctl("net.ipv4.conf.all.promote_secondaries", 0);
    await machine.plug("eth0", "10.0.1.2/24", "10.0.1.3/24", "10.0.2.2/24");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.1.3", "10.0.2.2"]);
    await machine.ip("addr del 10.0.1.2/24 dev eth0");
    await machine.hasEndpointsAt(["10.0.2.2"]);
  });

  it("an address that a link has twice, until it is gone twice", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.nothingHappens(() => machine.ip("addr add 10.0.1.2/16 dev eth0"));
    await machine.nothingHappens(() => machine.ip("addr del 10.0.1.2/24 dev eth0"));
    await machine.ip("addr del 10.0.1.2/16 dev eth0");
    await machine.hasEndpointsAt([]);
  });

  it("addresses that were there before their link was up and had a carrier", async (t) => {
    const machine = await Machine.started(t);
    const peer = await machine.lab.host("peer");
    await machine.nothingHappens(() =>
      machine.host.ipBatch([
        `link add eth1 type veth peer name peer1 netns ${peer.namespace}`,
        "addr add 10.0.1.2/24 dev eth1",
      ]),
    );
    await machine.nothingHappens(() => machine.ip("link set eth1 up"));
    // The first carrier of its life.
    await peer.ip("link set peer1 up");
    await machine.hasEndpointsAt(["10.0.1.2"]);
  });

  it("a link that goes down and comes up", async (t) => {
    const machine = await Machine.withTwoUplinks(t, atOnce);
    await machine.ip("link set eth1 down");
    await machine.hasEndpointsAt(["10.0.2.2"]);
    await machine.ip("link set eth1 up");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
  });

  it("a carrier that is lost and comes back", async (t) => {
    const machine = await Machine.withTwoUplinks(t, atOnce);
    await machine.cable("eth1").cut();
    await machine.hasEndpointsAt(["10.0.2.2"]);
    await machine.cable("eth1").restore();
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
  });

  it("an address that is removed while its link is down, and one that is removed after a flap", async (t) => {
    const machine = await Machine.withTwoUplinks(t, atOnce);
    await machine.host.ipBatch(["link set eth1 down", "addr del 10.0.1.2/24 dev eth1", "link set eth1 up"]);
    await machine.hasEndpointsAt(["10.0.2.2"]);
    await machine.ip("addr add 10.0.1.2/24 dev eth1");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
    await machine.host.ipBatch(["link set eth1 down", "link set eth1 up", "addr del 10.0.1.2/24 dev eth1"]);
    await machine.hasEndpointsAt(["10.0.2.2"]);
  });

  it("IPv6 addresses, which a link loses when it goes down", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0", "2001:db8:1::2/64");
    await machine.hasEndpointsAt(["2001:db8:1::2"]);
    await machine.host.ipBatch(["link set eth0 down", "link set eth0 up"]);
    await machine.hasEndpointsAt([]);
  });

  it("a rename: the endpoint stays as it is, and the rule for the new name is in force", async (t) => {
    const config = "[path wired]\nmatch-interface=lan*\nflags=subflow,backup\n[path others]\n";
    const machine = await Machine.started(t, { config });
    await machine.plug("eth0", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    const [endpoint] = await machine.host.endpoints();
    await machine.host.ipBatch(["link set eth0 down", "link set eth0 name lan0", "link set lan0 up"]);
    await machine.eventually("backup", async () =>
      assert.deepEqual(await machine.host.endpoints(), [
        { ...endpoint, dev: "lan0", flags: ["subflow", "backup"] },
      ]),
    );
    assert.equal(machine.history("10.0.1.2").filter((line) => line.includes("deleted")).length, 0);
  });

  it("alternative names, which rules match too", async (t) => {
    const config =
      "[core]\nremoval-delay=0\n[path spare]\nmatch-interface=spare*\nignore=yes\n[path others]\n";
    const machine = await Machine.started(t, { config });
    await machine.plug("eth0", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.ip("link property add dev eth0 altname spare-uplink");
    await machine.hasEndpointsAt([]);
    await machine.ip("link property del dev eth0 altname spare-uplink");
    await machine.hasEndpointsAt(["10.0.1.2"]);
  });

  it("a deleted interface, at once", async (t) => {
    const machine = await Machine.withTwoUplinks(t, hourly);
    await machine.ip("link delete eth1");
    await machine.hasEndpointsAt(["10.0.2.2"]);
  });

  it("an interface that moves to another namespace and comes back, at once", async (t) => {
    const machine = await Machine.withTwoUplinks(t, hourly);
    const elsewhere = await machine.lab.host("elsewhere");
    await machine.ip(`link set eth1 netns ${elsewhere.namespace}`);
    await machine.hasEndpointsAt(["10.0.2.2"]);
    await elsewhere.ip(`link set eth1 netns ${machine.host.namespace}`);
    await machine.host.ipBatch(["link set eth1 up", "addr add 10.0.1.9/24 dev eth1"]);
    await machine.hasEndpointsAt(["10.0.1.9", "10.0.2.2"]);
  });

  it("an interface that is replaced by another of the same name and address", async (t) => {
    const machine = await Machine.withTwoUplinks(t, hourly);
    const before = await machine.host.ifIndex("eth1");
    await machine.ip("link delete eth1");
    await machine.plug("eth1", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
    await machine.eventually("the endpoint of the new interface", async () => {
      const endpoint = (await machine.host.endpoints()).find(({ address }) => address === "10.0.1.2");
      assert.equal(endpoint?.dev, "eth1");
    });
    assert.notEqual(await machine.host.ifIndex("eth1"), before);
  });

  it("an address that two interfaces have: one endpoint, which moves when its interface loses the address", async (t) => {
    const machine = await Machine.withTwoUplinks(t, atOnce);
    await machine.nothingHappens(() => machine.ip("addr add 10.0.1.2/32 dev eth2"));
    await machine.ip("addr del 10.0.1.2/24 dev eth1");
    await machine.eventually("an endpoint on the other interface", async () => {
      const endpoints = await machine.host.endpoints();
      assert.deepEqual(endpoints.map(({ address, dev }) => `${address} ${dev}`).sort(), [
        "10.0.1.2 eth2",
        "10.0.2.2 eth2",
      ]);
    });
    await machine.nothingHappens(() => machine.ip("addr add 10.0.1.2/24 dev eth1"));
  });

  for (const address of ["10.0.1.3/24", "2001:db8:1::3/64"]) {
    const [name = ""] = address.split("/");

    it(`lifetimes: ${name} goes when its preferred lifetime is over, and returns when it is renewed`, async (t) => {
      const machine = await Machine.withTwoUplinks(t, atOnce);
      await machine.ip(`addr add ${address} dev eth1 valid_lft 600 preferred_lft 600`);
      await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2", name]);
      await machine.ip(`addr change ${address} dev eth1 valid_lft 600 preferred_lft 1`);
      await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
      assert.match(await machine.ip("addr show dev eth1"), /deprecated/);
      await machine.ip(`addr change ${address} dev eth1 valid_lft 600 preferred_lft 600`);
      await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2", name]);
    });

    it(`lifetimes: ${name} goes when its valid lifetime is over`, async (t) => {
      const machine = await Machine.withTwoUplinks(t, atOnce);
      await machine.ip(`addr add ${address} dev eth1 valid_lft 600 preferred_lft 600`);
      await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2", name]);
      await machine.ip(`addr change ${address} dev eth1 valid_lft 1 preferred_lft 1`);
      await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
      assert.ok(!(await machine.ip("addr show dev eth1")).includes(name));
    });
  }
});
