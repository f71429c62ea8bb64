import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lab } from "../lab/lab.ts";
import { requires } from "../lab/requires.ts";
import { atOnce, serveHost } from "../lab/served-host.ts";
import { openTunnel, tunnelNeeds } from "../lab/tunnel.ts";
import { waitFor } from "../lab/wait.ts";

describe("which addresses are endpoints", { skip: requires(), concurrency: 4 }, () => {
  it("takes every address that exists at start, of both families, as subflow, bound to its device", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("client");
    await lab.link({ a: [host, "eth0", "10.0.1.2/24", "10.0.1.3/24", "2001:db8:1::2/64"] });
    await lab.link({ a: [host, "eth1", "10.0.2.2/24"] });
    const served = await serveHost(t, { lab, host });
    await served.endpointsBecome(["10.0.1.2", "10.0.1.3", "10.0.2.2", "2001:db8:1::2"]);
    for (const { address, dev, flags } of await host.endpoints()) {
      assert.equal(dev, address === "10.0.2.2" ? "eth1" : "eth0");
      assert.deepEqual(flags, ["subflow"]);
    }
  });

  it("leaves out loopback, link-local and multicast addresses", async (t) => {
    const served = await serveHost(t, {
      before: (host, lab) => lab.link({ a: [host, "eth0", "10.0.1.2/24"] }),
    });
    await served.endpointsBecome(["10.0.1.2"]);
    assert.match(await served.host.ip("addr show dev eth0"), /fe80::/);
    await served.nothingHappens(() =>
      served.host.ipBatch([
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

  it("takes the local address of a point-to-point link, not the peer's", async (t) => {
    const served = await serveHost(t);
    await served.plug("eth0");
    await served.host.ip("addr add 10.9.0.1 peer 10.9.0.2 dev eth0");
    await served.host.ip("addr add 2001:db8:7::1 peer 2001:db8:7::2 dev eth0");
    await served.endpointsBecome(["10.9.0.1", "2001:db8:7::1"]);
  });

  it("waits for duplicate address detection to end", async (t) => {
    const served = await serveHost(t);
    await served.plug("eth1", "10.0.9.2/24");
    await served.lab.link({ a: [served.host, "eth0", "10.0.1.2/24", "2001:db8:1::2/64"], dad: true });
    await served.endpointsBecome(["10.0.1.2", "10.0.9.2"]);
    assert.match(await served.host.ip("addr show dev eth0"), /2001:db8:1::2.*tentative/);
    await served.endpointsBecome(["10.0.1.2", "10.0.9.2", "2001:db8:1::2"]);
    assert.doesNotMatch(await served.host.ip("addr show dev eth0"), /2001:db8:1::2.*tentative/);
  });

  it("never takes an address that another host has", async (t) => {
    const served = await serveHost(t);
    const neighbour = await served.lab.host("neighbour");
    await served.lab.link({ a: [served.host, "eth0"], b: [neighbour, "eth0", "2001:db8:1::2/64"] });
    await served.host.sysctl("net/ipv6/conf/eth0/accept_dad", 1);
    await served.host.ip("addr add 2001:db8:1::2/64 dev eth0");
    await waitFor("DAD to fail", async () =>
      (await served.host.ip("addr show dev eth0")).includes("dadfailed"),
    );
    await served.host.ip("addr add 2001:db8:1::3/64 dev eth0 nodad");
    await served.endpointsBecome(["2001:db8:1::3"]);
    assert.deepEqual(served.history("2001:db8:1::2"), []);
  });

  it("prefers an interface's stable IPv6 addresses to temporary ones, and takes those where it has no other", async (t) => {
    const served = await serveHost(t, { config: atOnce });
    await served.plug("eth0");
    await served.host.sysctl("net/ipv6/conf/eth0/use_tempaddr", 2);
    await served.host.ip("addr add 2001:db8:1::2/64 dev eth0 mngtmpaddr");
    const temporary = await waitFor("a temporary address", async () => {
      const text = await served.host.ip("-6 addr show dev eth0 temporary");
      return text.match(/inet6 (\S+)\/64/)?.[1];
    });
    await served.endpointsBecome(["2001:db8:1::2"]);
    // The kernel deprecates the temporary address with the one that it was made from.
    await served.host.ip("addr change 2001:db8:1::2/64 dev eth0 mngtmpaddr valid_lft 600 preferred_lft 0");
    await served.host.ip(`addr change ${temporary}/64 dev eth0 valid_lft 600 preferred_lft 600`);
    await served.endpointsBecome([temporary]);
  });

  it("does not take the address of a bridge's port, but the bridge's", async (t) => {
    const served = await serveHost(t, { config: atOnce });
    await served.plug("eth0", "10.0.1.2/24");
    await served.endpointsBecome(["10.0.1.2"]);
    await served.host.ipBatch([
      "link add br0 type bridge",
      "link set br0 up",
      "addr add 10.0.2.2/24 dev br0",
      "link set eth0 master br0",
    ]);
    await served.endpointsBecome(["10.0.2.2"]);
    await served.host.ip("link set eth0 nomaster");
    await served.endpointsBecome(["10.0.1.2"]);
  });

  for (const kind of ["bond", "team"]) {
    it(`does not take the address of a ${kind}'s port`, { skip: requires({ links: [kind] }) }, async (t) => {
      const served = await serveHost(t, { config: atOnce });
      await served.plug("eth0");
      await served.host.ip(`link add master0 type ${kind}`);
      await served.host.ipBatch([
        "link set eth0 down",
        "link set eth0 master master0",
        "link set eth0 up",
        "link set master0 up",
      ]);
      await served.nothingHappens(() => served.host.ip("addr add 10.0.1.2/24 dev eth0"));
      await served.host.ip("link set eth0 nomaster");
      await served.host.ip("link set eth0 up");
      await served.endpointsBecome(["10.0.1.2"]);
    });
  }

  it("takes the addresses of a VRF's members", {
    skip: requires({ links: ["vrf table 100"] }),
  }, async (t) => {
    const served = await serveHost(t, { config: atOnce });
    await served.plug("eth0", "10.0.1.2/24");
    await served.host.ipBatch([
      "link add red type vrf table 100",
      "link set red up",
      "link set eth0 master red",
    ]);
    await served.endpointsBecome(["10.0.1.2"]);
    await served.host.ip("addr add 10.0.1.3/24 dev eth0");
    await served.endpointsBecome(["10.0.1.2", "10.0.1.3"]);
  });

  it("takes a TAP device for what it is, an Ethernet", {
    skip: requires(tunnelNeeds),
  }, async (t) => {
    const served = await serveHost(t);
    await openTunnel(served.host, "tap0", { mode: "tap", addresses: ["10.0.3.2/24"] });
    await served.endpointsBecome(["10.0.3.2"]);
  });
});
