import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, hourly, Machine } from "../lab/machine.ts";
import { openTunnel, tunnelNeeds } from "../lab/tunnel.ts";

/** A host with two ways to the Internet, IPv6 on one of them; and its VPN's address. */
const uplinks = ["10.0.1.2", "10.0.2.2", "2001:db8:1::2"];
const inTunnel = "10.8.0.2";

/** The addresses outside of 10/8, 172.16/12 and 192.168/16, as people write them into AllowedIPs. */
const allButPrivate = `
  0.0.0.0/5 8.0.0.0/7 11.0.0.0/8 12.0.0.0/6 16.0.0.0/4 32.0.0.0/3 64.0.0.0/2 128.0.0.0/3 160.0.0.0/5 168.0.0.0/6
  172.0.0.0/12 172.32.0.0/11 172.64.0.0/10 172.128.0.0/9 173.0.0.0/8 174.0.0.0/7 176.0.0.0/4 192.0.0.0/9 192.128.0.0/11
  192.160.0.0/13 192.169.0.0/16 192.170.0.0/15 192.172.0.0/14 192.176.0.0/12 192.192.0.0/10 193.0.0.0/8 194.0.0.0/7
  196.0.0.0/6 200.0.0.0/5 208.0.0.0/4`
  .trim()
  .split(/\s+/);

/** How VPN programs send a host's traffic into their tunnel, and how they undo it. */
const takeovers: readonly { how: string; on: readonly string[]; off: readonly string[] }[] = [
  {
    how: "a default route with a better metric",
    on: ["-4 route add default dev vpn0 metric 5"],
    off: ["-4 route del default dev vpn0 metric 5"],
  },
  {
    how: "the two halves of the address space, as OpenVPN does",
    on: ["-4 route add 0.0.0.0/1 dev vpn0", "-4 route add 128.0.0.0/1 dev vpn0"],
    off: ["-4 route del 0.0.0.0/1 dev vpn0", "-4 route del 128.0.0.0/1 dev vpn0"],
  },
  {
    how: "policy rules, as wg-quick does",
    on: [
      "-4 route add default dev vpn0 table 51820",
      "-4 rule add not fwmark 51820 table 51820",
      "-4 rule add table main suppress_prefixlength 0",
    ],
    off: [
      "-4 rule del table main suppress_prefixlength 0",
      "-4 rule del not fwmark 51820 table 51820",
      "-4 route del default dev vpn0 table 51820",
    ],
  },
  {
    how: "routes to everything but private networks",
    on: allButPrivate.map((prefix) => `-4 route add ${prefix} dev vpn0`),
    off: allButPrivate.map((prefix) => `-4 route del ${prefix} dev vpn0`),
  },
  {
    how: "the default route of IPv6 alone",
    on: ["-6 route add default dev vpn0 metric 5"],
    off: ["-6 route del default dev vpn0 metric 5"],
  },
  {
    how: "the half of the address space that IPv6's Internet is in",
    on: ["-6 route add 2000::/3 dev vpn0"],
    off: ["-6 route del 2000::/3 dev vpn0"],
  },
];

describe("no leak past a VPN", { skip: requires(tunnelNeeds), concurrency: 4 }, () => {
  for (const { how, on, off } of takeovers) {
    it(`hides the other interfaces, of both families and at once, while the tunnel has ${how}`, async (t) => {
      const machine = await travellingHost(t, hourly);
      await openTunnel(machine.host, "vpn0", { addresses: [`${inTunnel}/24`] });
      await machine.hasEndpointsAt([...uplinks, inTunnel]);
      await ipLines(machine.host, on);
      await machine.hasEndpointsAt([inTunnel]);
      // The kernel knows of a deletion before the log does.
      await machine.settled();
      for (const address of uplinks) assert.match(machine.history(address).at(-1) ?? "", /would bypass vpn0/);
      await ipLines(machine.host, off);
      await machine.hasEndpointsAt([...uplinks, inTunnel]);
    });
  }

  it("holds for a tunnel that is there at start", async (t) => {
    const machine = await travellingHost(t, "", async (host) => {
      await openTunnel(host, "vpn0", { addresses: [`${inTunnel}/24`] });
      await host.ip("route add default dev vpn0 metric 5");
    });
    await machine.hasEndpointsAt([inTunnel]);
    for (const address of uplinks) assert.deepEqual(machine.history(address), []);
  });

  it("holds for addresses and interfaces that come while the tunnel is up", async (t) => {
    const machine = await behindTunnel(t);
    await machine.nothingHappens(async () => {
      await machine.ip("addr add 10.0.1.7/24 dev eth0");
      await machine.plug("eth9", "10.0.9.2/24");
    });
  });

  it("ends when the VPN program dies, and its device with it", async (t) => {
    const machine = await behindTunnel(t);
    await machine.tunnel.kill();
    await machine.hasEndpointsAt(uplinks);
  });

  it("ends when the tunnel is taken down, though of IPv4 routes that go with a link the kernel says nothing", async (t) => {
    const machine = await behindTunnel(t, atOnce);
    await machine.host.sysctl("net.ipv6.conf.all.disable_ipv6", 1);
    await machine.settled();
    await machine.ip("link set vpn0 down");
    await machine.hasEndpointsAt(uplinks.filter((address) => !address.includes(":")));
  });

  it("leaves alone what a rule lets pass by the tunnel", async (t) => {
    const config = "[path office]\nmatch-address=10.0.2.0/24\nbypass-tunnel=yes\n";
    const machine = await travellingHost(t, config);
    await openTunnel(machine.host, "vpn0", { addresses: [`${inTunnel}/24`] });
    await machine.ip("route add default dev vpn0 metric 5");
    await machine.hasEndpointsAt(["10.0.2.2", inTunnel]);
  });

  it("is not for a tunnel that carries some networks only", async (t) => {
    const machine = await travellingHost(t, "");
    await openTunnel(machine.host, "vpn0", { addresses: [`${inTunnel}/24`] });
    await machine.hasEndpointsAt([...uplinks, inTunnel]);
    await machine.nothingHappens(() => machine.ip("route add 10.0.0.0/8 dev vpn0"));
    await machine.nothingHappens(() => machine.ip("route add 172.16.0.0/12 dev vpn0"));
  });

  it("is not for a TAP device, which is an Ethernet", async (t) => {
    const machine = await travellingHost(t, "");
    await openTunnel(machine.host, "vpn0", { mode: "tap", addresses: [`${inTunnel}/24`] });
    await machine.hasEndpointsAt([...uplinks, inTunnel]);
    await machine.nothingHappens(() => machine.ip("route add default dev vpn0 metric 5"));
  });
});

describe("what counts as a tunnel", { concurrency: 4 }, () => {
  const kinds = [
    "wireguard",
    "ipip local 10.0.1.2 remote 10.0.1.1",
    "gre local 10.0.1.2 remote 10.0.1.1",
    "vti local 10.0.1.2 remote 10.0.1.1 key 5",
    "xfrm dev lo if_id 5",
    "ip6tnl local 2001:db8:1::2 remote 2001:db8:1::1",
    "ip6gre local 2001:db8:1::2 remote 2001:db8:1::1",
    "vti6 local 2001:db8:1::2 remote 2001:db8:1::1 key 5",
  ];
  for (const kind of kinds) {
    it(`${kind.split(" ")[0]}`, { skip: requires({ links: [kind] }) }, async (t) => {
      const machine = await travellingHost(t, atOnce);
      await machine.ip(`link add vpn0 type ${kind}`);
      await machine.host.ipBatch(["link set vpn0 up", "route add default dev vpn0 metric 5"]);
      await machine.eventually("no endpoint beside the tunnel", async () => {
        const addresses = await machine.host.endpointAddresses();
        const beside = addresses.filter((address) => uplinks.includes(address));
        assert.deepEqual(beside, []);
      });
    });
  }

  const sit = "sit local 10.0.1.2 remote 10.0.1.1";
  it("sit for IPv6 alone: it brings hosts IPv6 and hides no IPv4", {
    skip: requires({ links: [sit] }),
  }, async (t) => {
    const machine = await travellingHost(t, atOnce);
    await machine.ip(`link add vpn0 type ${sit}`);
    await machine.host.ipBatch(["link set vpn0 up", "addr add 2001:db8:8::2/64 dev vpn0"]);
    await machine.ip("-6 route add default dev vpn0 metric 5");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2", "2001:db8:8::2"]);
  });

  it("not a CLAT: it carries IPv4 over IPv6, and hides neither", {
    skip: requires(tunnelNeeds),
  }, async (t) => {
    const machine = await travellingHost(t, atOnce);
    await openTunnel(machine.host, "clat", { addresses: ["192.0.0.1/32"] });
    await machine.ip("route add default dev clat metric 5");
    await machine.hasEndpointsAt([...uplinks, "192.0.0.1"]);
    await machine.settled();
    for (const address of uplinks) assert.doesNotMatch(machine.history(address).join(), /deleted/);
    // With another address it is a VPN's.
    await machine.ip("addr add 10.8.0.2/32 dev clat");
    await machine.hasEndpointsAt(["192.0.0.1", "10.8.0.2"]);
  });

  const dsLite = "ip6tnl mode ipip6 local 2001:db8:1::2 remote 2001:db8:1::1";
  it("not ip6tnl where it carries the only IPv4", { skip: requires({ links: [dsLite] }) }, async (t) => {
    const machine = await travellingHost(t, atOnce);
    await machine.host.ipBatch([
      `link add ds0 type ${dsLite}`,
      "link set ds0 up",
      "addr add 198.51.100.9/32 dev ds0",
      "route add default dev ds0 metric 5",
    ]);
    await machine.hasEndpointsAt(["198.51.100.9"]);
    await ipLines(machine.host, ["-4 route del default metric 100", "-4 route del default metric 200"]);
    await machine.hasEndpointsAt([...uplinks, "198.51.100.9"]);
  });

  it("not a bridge", { skip: requires() }, async (t) => {
    const machine = await travellingHost(t, "");
    await machine.nothingHappens(() =>
      machine.host.ipBatch([
        "link add vpn0 type bridge",
        "link set vpn0 up",
        "route add default dev vpn0 metric 5",
      ]),
    );
  });
});

async function travellingHost(
  t: Closer,
  config: string,
  before: (host: Host) => Promise<unknown> = async () => {},
): Promise<Machine> {
  const machine = await Machine.create(t, {
    eth0: ["10.0.1.2/24", "2001:db8:1::2/64"],
    eth1: ["10.0.2.2/24"],
  });
  await machine.host.ipBatch([
    "route add default via 10.0.1.1 metric 100",
    "route add default via 10.0.2.1 metric 200",
    "route add default via 2001:db8:1::1 metric 100",
  ]);
  await before(machine.host);
  await machine.start({ config });
  return machine;
}

/** A host whose traffic leaves by vpn0, which `tunnel` holds open. */
async function behindTunnel(t: Closer, config = hourly) {
  const machine = await travellingHost(t, config);
  const tunnel = await openTunnel(machine.host, "vpn0", { addresses: [`${inTunnel}/24`] });
  await machine.ip("route add default dev vpn0 metric 5");
  await machine.hasEndpointsAt([inTunnel]);
  return Object.assign(machine, { tunnel });
}

/** One process for each line: `ip -batch` takes no family. */
async function ipLines(host: Host, lines: readonly string[]): Promise<void> {
  for (const line of lines) await host.ip(line);
}
