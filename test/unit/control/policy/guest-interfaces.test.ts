import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { containerRule, defaultConfig, type PathRule } from "../../../../src/control/config/config.ts";
import { type Network, placeOf } from "../../../../src/control/network/network.ts";
import { decide, desiredEndpoints } from "../../../../src/control/policy/policy.ts";
import { endpointOf, inputOf, type LinkSketch, networkOf, ours, ruleOf } from "./world.ts";

type Sketches = Readonly<Record<string, LinkSketch>>;

const at = (address: string) => ({ addresses: [address] });
const bridge = { kind: "bridge" };
/** As in `networkOf`: interfaces get their index by their order, from 2. */
const portOf = (master: number) => ({ master, slaveKind: "bridge" });
const nic = { parentDevice: "0000:00:03.0" };
const uplink = { ...nic, defaultRoute: true };

/** What becomes of each address: "INTERFACE endpoint", or "INTERFACE REASON". */
function verdicts(network: Network, paths: readonly PathRule[] = []): string[] {
  return decide(inputOf(network, { config: { ...defaultConfig, paths } })).map(
    ({ interfaceName, outcome, reason }) => `${interfaceName} ${outcome === "endpoint" ? outcome : reason}`,
  );
}

const guests = "leads to guests of this host";

describe("interfaces that lead to guests are no endpoints", () => {
  const cases: Readonly<Record<string, readonly [Sketches, string]>> = {
    "a bridge of containers (Docker, LXD, Incus, Podman, CNI)": [
      { br: { ...bridge, ...at("10.5.0.1") }, vethA: { kind: "veth", ...portOf(2) }, eth0: uplink },
      "br leads to guests of this host: bridge of vethA, no default route",
    ],
    "a bridge of virtual machines (libvirt, Proxmox without an uplink)": [
      {
        br: { ...bridge, ...at("192.168.122.1") },
        vnet0: { kind: "tun", ...portOf(2) },
        vnet1: { kind: "tun", ...portOf(2) },
        nic0: { kind: "dummy", ...portOf(2) },
      },
      "br leads to guests of this host: bridge of vnet0, vnet1, …, no default route",
    ],
    "a bridge without ports": [
      { br: { ...bridge, ...at("10.5.0.1") } },
      "br leads to guests of this host: bridge without ports, no default route",
    ],
    "an overlay of containers (flannel, Calico)": [
      { overlay: { kind: "vxlan", ...at("10.244.1.0") } },
      "overlay leads to guests of this host: vxlan device, no default route",
    ],
    "a port of Open vSwitch (OVN)": [
      { "ovn-k8s-mp0": { kind: "openvswitch", ...at("10.244.0.2") } },
      "ovn-k8s-mp0 leads to guests of this host: openvswitch device, no default route",
    ],
    "an Ethernet device without hardware, where others have it (VirtualBox, VMware)": [
      { eth0: nic, hostonly: at("192.168.56.1") },
      "hostonly leads to guests of this host: Ethernet device without hardware, no default route",
    ],
    "a TAP device of a virtual machine (Firecracker)": [
      { tap0: { kind: "tun", type: 1, vnetHeader: true, ...at("172.16.0.1") } },
      "tap0 leads to guests of this host: TAP device of a virtual machine, no default route",
    ],
    "a VLAN on a bridge of guests": [
      {
        vlan5: { kind: "vlan", lower: 3, ...at("10.5.5.1") },
        br: bridge,
        vethA: { kind: "veth", ...portOf(3) },
        eth0: uplink,
      },
      "vlan5 leads to guests of this host: on br, which leads to guests, no default route",
    ],
    "one end of a veth whose other end is on this host (Cilium)": [
      {
        host0: { kind: "veth", lower: 3, ...at("10.244.1.13") },
        net0: { kind: "veth", lower: 2 },
        eth0: uplink,
      },
      "host0 leads to guests of this host: its other end net0 is on this host, no default route",
    ],
    "a veth that is plugged into a bridge of guests": [
      {
        in0: { kind: "veth", lower: 3, ...at("10.5.0.2") },
        out0: { kind: "veth", lower: 2, ...portOf(4) },
        br: bridge,
        vethA: { kind: "veth", ...portOf(4) },
        eth0: uplink,
      },
      "in0 leads to guests of this host: plugged into br, which leads to guests, no default route",
    ],
    "two bridges of guests that a veth joins": [
      {
        br: { ...bridge, ...at("10.5.0.1") },
        a: { kind: "veth", lower: 4, ...portOf(2) },
        b: { kind: "veth", lower: 3, ...portOf(5) },
        other: bridge,
      },
      "br leads to guests of this host: bridge of a, no default route",
    ],
  };
  for (const [what, [sketches, expected]] of Object.entries(cases))
    it(what, () => assert.deepEqual(verdicts(networkOf(sketches)), [expected]));

  for (const name of [
    "vboxnet0",
    "vmnet8",
    "docker0",
    "veth1a2b",
    "cali12",
    "lxc7",
    "ve-web",
    "wireguard.cali",
  ])
    it(`${name}, by its name, where the kernel cannot tell and the file has no [path] section`, () => {
      const network = networkOf({ [name]: at("10.9.0.1") });
      assert.deepEqual(verdicts(network, [containerRule]), [
        `${name} ignored by [path containers] (built in)`,
      ]);
      assert.deepEqual(verdicts(network), [`${name} endpoint`]);
    });

  it("not one end of a veth whose other end is on this host, which has no way out at all", () => {
    const network = networkOf({
      d0: { kind: "veth", lower: 3, ...at("10.1.0.1") },
      q0: { kind: "veth", lower: 2 },
    });
    assert.deepEqual(verdicts(network, [containerRule]), ["d0 endpoint"]);
  });

  it("a bridge of containers, by its name, on a host without a default route", () => {
    const network = networkOf({
      lxdbr0: { ...bridge, ...at("10.5.0.1") },
      g: { kind: "veth", ...portOf(2) },
    });
    assert.match(verdicts(network, [containerRule])[0] ?? "", /ignored by \[path containers\] \(built in\)$/);
  });

  it("whose default route has this host itself as its gateway (Cilium's proxy)", () => {
    const network = networkOf({
      host0: { kind: "veth", lower: 3, ...at("10.244.1.13") },
      net0: { lower: 2 },
    });
    const [route] = networkOf({ host0: { defaultRoute: true } }).defaultRoutes;
    assert.ok(route);
    const hops = [{ ifIndex: 2, weight: 1, gateway: "10.244.1.13" }];
    const pair = { ...network, defaultRoutes: [{ ...route, table: 2005, hops }] };
    const links = new Map(network.links);
    const net0 = links.get(3);
    assert.ok(net0);
    links.set(3, { ...net0, kind: "veth" });
    assert.match(verdicts({ ...pair, links })[0] ?? "", /leads to guests/);
  });
});

describe("interfaces that lead out are endpoints", () => {
  const cases: Readonly<Record<string, Sketches>> = {
    "a bridge with the default route, though its ports are guests' (br-lan, vmbr0)": {
      "br-lan": { ...bridge, ...at("10.5.0.1"), defaultRoute: true },
      tap100i0: { kind: "tun", ...portOf(2) },
    },
    "a bridge with a network card among its ports, without a default route": {
      vmbr1: { ...bridge, ...at("10.5.0.1") },
      eno2: { ...nic, ...portOf(2) },
      tap100i0: { kind: "tun", ...portOf(2) },
    },
    "a bridge with a VLAN, a bond or a Wi-Fi among its ports": {
      br0: { ...bridge, ...at("10.5.0.1") },
      "eno2.5": { kind: "vlan", lower: 99, ...portOf(2) },
    },
    "a bridge of veths on a host without any default route, which may be a container": {
      br0: { ...bridge, ...at("10.5.0.1") },
      port0: { kind: "veth", ...portOf(2) },
    },
    "a bridge that a veth joins to one with a network card": {
      br0: { ...bridge, ...at("10.5.0.1") },
      a: { kind: "veth", lower: 4, ...portOf(2) },
      b: { kind: "veth", lower: 3, ...portOf(5) },
      out: bridge,
      eno1: { ...nic, ...portOf(5) },
    },
    "a network card with only an on-link subnet": { eno2: { ...nic, ...at("10.5.0.1") }, eno1: nic },
    "a network card on a kernel that does not name hardware": { eno2: at("10.5.0.1") },
    "a veth whose other end is elsewhere": { eth0: { kind: "veth", ...at("10.5.0.1") } },
    "a veth with the default route, whatever its name": {
      veth0: { kind: "veth", ...at("10.5.0.1"), defaultRoute: true },
    },
    "a veth whose other end had an index that a later interface has now": {
      eth0: { kind: "veth", lower: 3, ...at("10.5.0.1") },
      later: { kind: "veth", lower: 9 },
    },
    "Open vSwitch's bridge with the uplink (br-ex)": {
      "br-ex": { kind: "openvswitch", ...at("10.5.0.1"), defaultRoute: true },
    },
    "a TAP device without virtio headers, as VPNs have it": {
      tap0: { kind: "tun", type: 1, ...at("10.5.0.1") },
    },
    "an overlay network of this host itself (Tailscale, WireGuard)": {
      tailscale0: { kind: "tun", type: 65534, ...at("100.64.0.7") },
    },
    "VLAN, macvlan and ipvlan on a card": {
      eth0: nic,
      "eth0.5": { kind: "vlan", lower: 2, ...at("10.5.0.1") },
    },
    "a macvlan in a container, with its card elsewhere": { eth0: { kind: "macvlan", ...at("10.5.0.1") } },
    "a bond or a team": { bond0: { kind: "bond", ...at("10.5.0.1") } },
  };
  for (const [what, sketches] of Object.entries(cases))
    it(what, () => {
      const [verdict] = verdicts(networkOf(sketches), [containerRule]);
      assert.match(verdict ?? "", / endpoint$/);
    });
});

describe("a [path] section", () => {
  const network = networkOf({ lxdbr0: { ...bridge, ...at("10.5.0.1") }, eth0: at("10.0.0.1") });

  it("that names the interface or its kind decides in place of the default", () => {
    for (const rule of [{ matchInterface: ["lxd*"] }, { matchKind: ["bridge"] }])
      assert.deepEqual(verdicts(network, [ruleOf({ name: "mine", ...rule })]), [
        "lxdbr0 endpoint",
        "eth0 endpoint",
      ]);
  });

  it("that does not name it leaves the default as it is", () => {
    const prefix = { family: 4, address: "10.0.0.0", length: 8 } as const;
    for (const rule of [{}, { matchAddress: [prefix] }])
      assert.deepEqual(verdicts(network, [ruleOf({ name: "all", ...rule })]), [
        `lxdbr0 ${guests}: bridge without ports, no default route`,
        "eth0 endpoint",
      ]);
  });

  it("that ignores it is the reason that is given", () => {
    const rule = ruleOf({ name: "containers", matchInterface: ["lxd*"], ignore: true });
    assert.deepEqual(verdicts(network, [rule]), [
      "lxdbr0 ignored by [path containers] (test:1)",
      "eth0 endpoint",
    ]);
  });
});

describe("an endpoint whose interface begins to look like one of guests", () => {
  const current = ours(endpointOf({ address: "10.5.0.1" }));
  const expired = new Set([placeOf({ address: "10.5.0.1", ifIndex: 2 })]);
  const bridged = { "br-ex": { kind: "openvswitch", ...at("10.5.0.1") } };
  const wanted = (network: Network, over: ReadonlySet<string>) =>
    desiredEndpoints(decide(inputOf(network, { current, expired: over }))).map(({ address }) => address);

  it("is held for the removal delay, as its default route may be back at once", () => {
    const beside = networkOf({ ...bridged, eth0: at("10.0.0.1") });
    assert.deepEqual(wanted(beside, new Set()).toSorted(), ["10.0.0.1", "10.5.0.1"]);
    assert.deepEqual(wanted(beside, expired), ["10.0.0.1"]);
  });

  it("stays while no other endpoint is usable", () => {
    assert.deepEqual(wanted(networkOf(bridged), expired), ["10.5.0.1"]);
  });
});

describe("whatever the network looks like", () => {
  const kinds = [
    "bridge",
    "veth",
    "tun",
    "vlan",
    "vxlan",
    "bond",
    "openvswitch",
    "macvlan",
    "dummy",
    "netkit",
  ];
  const sketch = fc.record(
    {
      kind: fc.constantFrom(...kinds),
      type: fc.constantFrom(1, 65534),
      lower: fc.integer({ min: 2, max: 8 }),
      master: fc.constantFrom(0, 2, 3, 4, 5, 6, 7, 8),
      vnetHeader: fc.boolean(),
      parentDevice: fc.constant("0000:00:03.0"),
      defaultRoute: fc.boolean(),
      addresses: fc.constantFrom([], ["10.0.0.1"], ["fe80::1"]),
    },
    { requiredKeys: [] },
  );
  const networks = fc
    .array(sketch, { minLength: 1, maxLength: 7 })
    .map((sketches) => networkOf(Object.fromEntries(sketches.map((one, index) => [`if${index}`, one]))));

  const leadToGuests = (network: Network, paths: readonly PathRule[] = []) =>
    decide(inputOf(network, { config: { ...defaultConfig, paths } })).filter(({ code }) => code === "guests");

  it("hardware, and what has a default route, never leads to guests", () => {
    fc.assert(
      fc.property(networks, (network) => {
        for (const { ifIndex } of leadToGuests(network)) {
          assert.equal(network.links.get(ifIndex)?.parentDevice, undefined);
          assert.ok(!network.defaultRoutes.some(({ hops }) => hops.some((hop) => hop.ifIndex === ifIndex)));
        }
      }),
    );
  });

  it("a section that names every interface takes the default away", () => {
    fc.assert(
      fc.property(networks, (network) => {
        assert.deepEqual(leadToGuests(network, [ruleOf({ name: "all", matchInterface: ["*"] })]), []);
      }),
    );
  });

  it("a card that becomes a bridge's port never makes the bridge one of guests", () => {
    fc.assert(
      fc.property(networks, fc.integer({ min: 2, max: 8 }), (network, master) => {
        const card = networkOf({ card: { ...nic, master } }).links.get(2);
        const links = new Map(network.links).set(99, { ...(card ?? assert.fail()), index: 99 });
        const bridged = leadToGuests({ ...network, links }).filter(({ ifIndex }) => ifIndex === master);
        if (network.links.get(master)?.kind === "bridge") assert.deepEqual(bridged, []);
      }),
    );
  });
});
