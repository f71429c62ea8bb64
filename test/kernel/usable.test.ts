import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { openTunnel, tunnelNeeds } from "../lab/tunnel.ts";

describe("which addresses are endpoints", { skip: requires(), concurrency: 4 }, () => {
  it("takes every address that exists at start, of both families, as subflow, bound to its device", async (t) => {
    const machine = await Machine.create(t, {
      eth0: ["10.0.1.2/24", "10.0.1.3/24", "2001:db8:1::2/64"],
      eth1: ["10.0.2.2/24"],
    });
    await machine.start();
    await machine.has(
      "10.0.1.2 eth0 subflow",
      "10.0.1.3 eth0 subflow",
      "10.0.2.2 eth1 subflow",
      "2001:db8:1::2 eth0 subflow",
    );
  });

  it("leaves out loopback, link-local and multicast addresses", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.1.2/24"] });
    await machine.start();
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.eventually("a link-local address", async () =>
      assert.match(await machine.ip("addr show dev eth0"), /fe80::/),
    );
    await machine.nothingHappens(() =>
      machine.host.ipBatch([
        "addr add 192.0.2.1/32 dev lo",
        "addr add 2001:db8::1/128 dev lo",
        "addr add 127.0.0.9/32 dev eth0",
        "addr add 169.254.7.7/16 dev eth0",
        "addr add 224.0.0.99/32 dev eth0 autojoin",
        "addr add ff02::99/128 dev eth0 autojoin",
        "addr add fe80::99/64 dev eth0",
      ]),
    );
  });

  it("leaves out IPv4 addresses of scope link and host, with and without the flags of the C mptcpd", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.1.2/24"] });
    await machine.host.ipBatch([
      "addr add 10.60.0.1/24 dev eth0 scope link",
      "addr add 10.61.0.1/24 dev eth0 scope host",
      "addr add 10.62.0.1/24 dev eth0 scope site",
    ]);
    for (const flags of ["", "notify-flags=existing,skip_link_local,skip_loopback\n"]) {
      await machine.start({ config: atOnce + flags });
      await machine.hasEndpointsAt(["10.0.1.2", "10.62.0.1"]);
      await machine.nothingHappens(() => machine.ip("addr add 10.63.0.1/24 dev eth0 scope link"));
      await machine.ip("addr del 10.63.0.1/24 dev eth0");
      await machine.stop();
    }
  });

  it("takes the local address of a point-to-point link, not the peer's", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0");
    await machine.ip("addr add 10.9.0.1 peer 10.9.0.2 dev eth0");
    await machine.ip("addr add 2001:db8:7::1 peer 2001:db8:7::2 dev eth0");
    await machine.hasEndpointsAt(["10.9.0.1", "2001:db8:7::1"]);
  });

  it("waits for duplicate address detection to end", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth1", "10.0.9.2/24");
    // Long enough to be seen on a slow machine.
    await machine.host.sysctl("net/ipv6/conf/default/dad_transmits", 3);
    await machine.lab.link({ a: [machine.host, "eth0", "10.0.1.2/24", "2001:db8:1::2/64"], dad: true });
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.9.2"]);
    assert.match(await machine.ip("addr show dev eth0"), /2001:db8:1::2.*tentative/);
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.9.2", "2001:db8:1::2"]);
    assert.doesNotMatch(await machine.ip("addr show dev eth0"), /2001:db8:1::2.*tentative/);
  });

  it("never takes an address that another host has", async (t) => {
    const machine = await Machine.started(t);
    const neighbour = await machine.lab.host("neighbour");
    await machine.lab.link({ a: [machine.host, "eth0"], b: [neighbour, "eth0", "2001:db8:1::2/64"] });
    await machine.host.sysctl("net/ipv6/conf/eth0/accept_dad", 1);
    await machine.ip("addr add 2001:db8:1::2/64 dev eth0");
    await waitFor("DAD to fail", async () => (await machine.ip("addr show dev eth0")).includes("dadfailed"));
    await machine.ip("addr add 2001:db8:1::3/64 dev eth0 nodad");
    await machine.hasEndpointsAt(["2001:db8:1::3"]);
    assert.deepEqual(machine.history("2001:db8:1::2"), []);
  });

  it("prefers an interface's stable IPv6 addresses to temporary ones, and takes those where it has no other", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0");
    await machine.host.sysctl("net/ipv6/conf/eth0/use_tempaddr", 2);
    await machine.ip("addr add 2001:db8:1::2/64 dev eth0 mngtmpaddr");
    const temporary = await waitFor("a temporary address", async () => {
      const text = await machine.ip("-6 addr show dev eth0 temporary");
      return text.match(/inet6 (\S+)\/64/)?.[1];
    });
    await machine.hasEndpointsAt(["2001:db8:1::2"]);
    // The kernel deprecates the temporary address with the one that it was made from.
    await machine.ip("addr change 2001:db8:1::2/64 dev eth0 mngtmpaddr valid_lft 600 preferred_lft 0");
    await machine.ip(`addr change ${temporary}/64 dev eth0 valid_lft 600 preferred_lft 600`);
    await machine.hasEndpointsAt([temporary]);
  });

  it("does not take the address of a bridge's port, but the bridge's", async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0", "10.0.1.2/24");
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.host.ipBatch([
      "link add br0 type bridge",
      "link set br0 up",
      "addr add 10.0.2.2/24 dev br0",
      "link set eth0 master br0",
    ]);
    await machine.hasEndpointsAt(["10.0.2.2"]);
    await machine.ip("link set eth0 nomaster");
    await machine.hasEndpointsAt(["10.0.1.2"]);
  });

  for (const kind of ["bond", "team"]) {
    it(`does not take the address of a ${kind}'s port`, { skip: requires({ links: [kind] }) }, async (t) => {
      const machine = await Machine.started(t);
      await machine.plug("eth0");
      await machine.ip(`link add master0 type ${kind}`);
      await machine.host.ipBatch([
        "link set eth0 down",
        "link set eth0 master master0",
        "link set eth0 up",
        "link set master0 up",
      ]);
      await machine.nothingHappens(() => machine.ip("addr add 10.0.1.2/24 dev eth0"));
      await machine.ip("link set eth0 nomaster");
      await machine.ip("link set eth0 up");
      await machine.hasEndpointsAt(["10.0.1.2"]);
    });
  }

  it("takes the addresses of a VRF's members", {
    skip: requires({ links: ["vrf table 100"] }),
  }, async (t) => {
    const machine = await Machine.started(t);
    await machine.plug("eth0", "10.0.1.2/24");
    await machine.host.ipBatch([
      "link add red type vrf table 100",
      "link set red up",
      "link set eth0 master red",
    ]);
    await machine.hasEndpointsAt(["10.0.1.2"]);
    await machine.ip("addr add 10.0.1.3/24 dev eth0");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.1.3"]);
  });

  it("takes a TAP device for what it is, an Ethernet", {
    skip: requires(tunnelNeeds),
  }, async (t) => {
    const machine = await Machine.started(t);
    await openTunnel(machine.host, "tap0", { mode: "tap", addresses: ["10.0.3.2/24"] });
    await machine.hasEndpointsAt(["10.0.3.2"]);
  });
});
