import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dumpNextHops } from "../../src/kernel/next-hops.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { useRtnetlink } from "../lab/rtnetlink.ts";
import { openTunnel, tunnelNeeds } from "../lab/tunnel.ts";

const uplink = "10.0.1.2";
const tunnels = ["10.8.0.2", "fd00:8::2", "10.8.1.2", "fd00:9::2"];

/** Ways to spread the host's traffic over both tunnels, in ip's words. */
const sharings: Readonly<Record<string, readonly string[]>> = {
  "an IPv4 route": ["route add default nexthop dev vpn0 nexthop dev vpn1"],
  "an IPv6 route": ["-6 route add default nexthop via fd00:8::9 dev vpn0 nexthop via fd00:9::9 dev vpn1"],
  "an IPv4 route by a group of next-hop objects": [
    "nexthop add id 1 dev vpn0",
    "nexthop add id 2 dev vpn1",
    "nexthop add id 9 group 1/2",
    "route add default nhid 9",
  ],
  "an IPv6 route by a group of next-hop objects": [
    "-6 nexthop add id 1 dev vpn0",
    "-6 nexthop add id 2 dev vpn1",
    "nexthop add id 9 group 1/2",
    "-6 route add default nhid 9",
  ],
};

describe("a default route over two tunnels", { skip: requires(tunnelNeeds), concurrency: 4 }, () => {
  for (const [how, lines] of Object.entries(sharings))
    for (const compatible of [1, 0])
      it(`keeps both, and hides the uplink: ${how}, nexthop_compat_mode=${compatible}`, async (t) => {
        const machine = await withTwoTunnels(t);
        await machine.host.sysctl("net.ipv4.nexthop_compat_mode", compatible);
        for (const line of lines) await machine.ip(line);
        await machine.hasEndpointsAt(tunnels);
        await machine.settled();
        for (const address of tunnels) assert.doesNotMatch(machine.history(address).join(), /deleted/);
      });

  it("follows a group of next-hop objects whose members change, of which no route notification tells", async (t) => {
    const machine = await withTwoTunnels(t);
    await machine.host.sysctl("net.ipv4.nexthop_compat_mode", 0);
    for (const line of sharings["an IPv4 route by a group of next-hop objects"] ?? []) await machine.ip(line);
    await machine.hasEndpointsAt(tunnels);
    await machine.ip("nexthop replace id 9 group 2");
    await machine.hasEndpointsAt(tunnels.slice(2));
  });

  it("leaves the traffic to one tunnel when the other is down", async (t) => {
    const machine = await withTwoTunnels(t);
    await machine.ip("route add default nexthop dev vpn0 nexthop dev vpn1");
    await machine.hasEndpointsAt(tunnels);
    await machine.ip("link set vpn0 down");
    await machine.hasEndpointsAt(tunnels.slice(2));
  });

  it("hides nothing while one of the next hops is no tunnel", async (t) => {
    const machine = await withTwoTunnels(t);
    await machine.ip("route add default dev vpn1 metric 5");
    await machine.hasEndpointsAt(tunnels.slice(2));
    await machine.ip("route replace default metric 5 nexthop via 10.0.1.1 nexthop dev vpn1");
    await machine.hasEndpointsAt([uplink, ...tunnels]);
  });
});

describe("next-hop objects", { skip: requires() }, () => {
  const rtnetlink = useRtnetlink();

  it("are listed with their interface, gateway and group", async (t) => {
    await rtnetlink.setUp("addr add 10.0.0.1/24 dev v0");
    t.after(() => rtnetlink.here.ip("nexthop flush"));
    await rtnetlink.here.ipBatch([
      "nexthop add id 1 via 10.0.0.9 dev v0",
      "nexthop add id 2 dev v1",
      "nexthop add id 3 group 1,7/2,255",
      "nexthop add id 4 blackhole",
    ]);
    const [v0, v1] = [await rtnetlink.here.ifIndex("v0"), await rtnetlink.here.ifIndex("v1")];
    assert.deepEqual(await dumpNextHops(rtnetlink.connection), [
      { id: 1, ifIndex: v0, gateway: "10.0.0.9", group: [] },
      { id: 2, ifIndex: v1, group: [] },
      {
        id: 3,
        group: [
          { id: 1, weight: 7 },
          { id: 2, weight: 255 },
        ],
      },
      { id: 4, group: [] },
    ]);
  });
});

/** A host with an uplink and two tunnels that carry nothing yet. */
async function withTwoTunnels(t: Closer): Promise<Machine> {
  const machine = await Machine.create(t, { eth0: [`${uplink}/24`] });
  await openTunnel(machine.host, "vpn0", { addresses: ["10.8.0.2/24", "fd00:8::2/64"] });
  await openTunnel(machine.host, "vpn1", { addresses: ["10.8.1.2/24", "fd00:9::2/64"] });
  await machine.start({ config: atOnce });
  return machine;
}
