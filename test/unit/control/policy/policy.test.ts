import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfig, notifyFlags } from "../../../../src/control/config/config.ts";
import { type Network, placeOf } from "../../../../src/control/network/network.ts";
import type { PolicyInput } from "../../../../src/control/policy/input.ts";
import { decide, desiredEndpoints } from "../../../../src/control/policy/policy.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { endpointOf, foreign, inputOf, type LinkSketch, networkOf, ours, ruleOf, settle } from "./world.ts";

/** Each decision as "ADDRESS OUTCOME CODE". */
function verdicts(input: PolicyInput): string[] {
  return decide(input).map(({ address, outcome, code }) => `${address} ${outcome} ${code}`);
}

function wanted(input: PolicyInput): string[] {
  return desiredEndpoints(decide(input)).map(({ address }) => address);
}

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };
const down = { flags: [] as const };

describe("rules", () => {
  const network = networkOf({
    eth0,
    wwan0: { addresses: ["10.0.1.1"] },
    docker0: { addresses: ["172.17.0.1"] },
  });
  const paths = [
    ruleOf({
      name: "lte",
      matchInterface: ["wwan*"],
      flags: endpointFlags.of("subflow", "backup"),
      priority: 10,
    }),
    ruleOf({ name: "containers", matchInterface: ["docker*"], ignore: true }),
    ruleOf({ name: "all", port: 8080, flags: endpointFlags.of("signal") }),
  ];
  const decisions = decide(inputOf(network, { config: { ...defaultConfig, paths } }));

  it("give flags and ports; the first that matches decides", () => {
    assert.deepEqual(
      desiredEndpoints(decisions).map(({ address, flags, port }) => `${address} ${flags} ${port}`),
      ["10.0.0.1 signal 8080", "10.0.1.1 subflow,backup 0"],
    );
  });

  it("ignore, and the reason names the rule", () => {
    assert.equal(decisions.at(-1)?.reason, "ignored by [path containers] (test:1)");
  });

  it("cap the endpoints of one interface", () => {
    const two = networkOf({ eth0: { addresses: ["10.0.0.1", "10.0.0.2", "10.0.0.3"] }, eth1 });
    const config = { ...defaultConfig, paths: [ruleOf({ name: "one", max: 1 })] };
    assert.deepEqual(wanted(inputOf(two, { config })), ["10.0.0.1", "10.0.1.1"]);
    const live = ours(endpointOf({ address: "10.0.0.3" }));
    assert.deepEqual(
      wanted(inputOf(two, { config, current: live })),
      ["10.0.0.3", "10.0.1.1"],
      "who is live stays",
    );
  });

  it("name interfaces by their alternative names too", () => {
    const named = networkOf({ eth0: { altNames: ["uplink"], addresses: ["10.0.0.1"] } });
    const config = {
      ...defaultConfig,
      paths: [ruleOf({ name: "up", matchInterface: ["uplink"], ignore: true })],
    };
    assert.deepEqual(verdicts(inputOf(named, { config })), ["10.0.0.1 unusable ignored"]);
  });
});

describe("check_route", () => {
  const config = { ...defaultConfig, paths: [], notifyFlags: notifyFlags.of("check_route") };

  it("wants a default route by the address's interface, or both halves of one", () => {
    const network = networkOf({
      eth0: { ...eth0, defaultRoute: true },
      eth1,
      eth2: { addresses: ["10.0.2.1"] },
    });
    const half = (destination: string) => ({
      ...(network.defaultRoutes[0] ?? assert.fail()),
      destination,
      prefixLength: 1,
      hops: [{ ifIndex: 4, weight: 1 }],
    });
    const defaultRoutes = [...network.defaultRoutes, half("0.0.0.0"), half("128.0.0.0")];
    assert.deepEqual(verdicts(inputOf({ ...network, defaultRoutes }, { config })), [
      "10.0.0.1 endpoint usable",
      "10.0.1.1 unusable no-default-route",
      "10.0.2.1 endpoint usable",
    ]);
  });
});

describe("a tunnel that the host's traffic leaves by", () => {
  const wg0 = { kind: "wireguard", type: 65534, addresses: ["10.8.0.2"] };
  const links = { eth0: { addresses: ["10.0.0.1", "2001:470::1"] }, wg0 };

  it("leaves the other interfaces without endpoints, of both families", () => {
    assert.deepEqual(verdicts(inputOf(networkOf(links, ["wg0"]))), [
      "10.0.0.1 unusable bypasses-tunnel",
      "2001:470::1 unusable bypasses-tunnel",
      "10.8.0.2 endpoint usable",
    ]);
  });

  it("does not, if only some traffic takes it", () => {
    assert.deepEqual(wanted(inputOf(networkOf(links, ["eth0"]))), ["10.0.0.1", "2001:470::1", "10.8.0.2"]);
  });

  it("does not, if a rule says bypass-tunnel", () => {
    const config = {
      ...defaultConfig,
      paths: [ruleOf({ name: "eth", matchInterface: ["eth*"], bypassTunnel: true })],
    };
    assert.equal(wanted(inputOf(networkOf(links, ["wg0"]), { config })).length, 3);
  });

  it("takes endpoints away at once when it comes up", () => {
    const current = ours(endpointOf({ address: "10.0.0.1" }));
    assert.deepEqual(wanted(inputOf(networkOf(links, ["wg0"]), { current })), ["10.8.0.2"]);
  });

  it("is no TAP device, and no Ethernet bridge", () => {
    const tap = { kind: "tun", type: 1, addresses: ["10.8.0.2"] };
    assert.equal(wanted(inputOf(networkOf({ eth0, tap0: tap }, ["tap0"]))).length, 2);
  });

  it("is of no account for IPv4 if it is sit, which is how hosts get IPv6", () => {
    const he = { kind: "sit", type: 776, addresses: ["2001:470:1f0a::2"] };
    assert.deepEqual(verdicts(inputOf(networkOf({ eth0: links.eth0, he }, ["he"]))), [
      "10.0.0.1 endpoint usable",
      "2001:470::1 unusable bypasses-tunnel",
      "2001:470:1f0a::2 endpoint usable",
    ]);
  });
});

describe("a way out that carries IPv4 over IPv6", () => {
  const eth0 = { addresses: ["10.0.0.1", "2001:470::1"] };
  const clat = { kind: "tun", type: 65534, addresses: ["192.0.0.1"] };
  const byIpv4 = (network: Network): Network => ({
    ...network,
    egress: network.egress.filter(({ family }) => family === 4),
  });

  it("hides nothing if its addresses are those of a CLAT or a DS-Lite tunnel", () => {
    for (const address of ["192.0.0.1", "192.0.0.7"])
      for (const kind of ["tun", "ip6tnl"]) {
        const links = {
          eth0: { ...eth0, defaultRoute: true },
          clat: { ...clat, kind, addresses: [address] },
        };
        const network = byIpv4(networkOf(links, ["clat"]));
        assert.deepEqual(wanted(inputOf(network)), ["10.0.0.1", "2001:470::1", address]);
      }
  });

  it("is a VPN's if it has another IPv4 address, or if IPv6 leaves by it as well", () => {
    const vpn = { ...clat, addresses: ["192.0.0.1", "192.0.0.8"] };
    assert.deepEqual(wanted(inputOf(byIpv4(networkOf({ eth0, vpn }, ["vpn"])))), ["192.0.0.1", "192.0.0.8"]);
    assert.deepEqual(wanted(inputOf(networkOf({ eth0, clat }, ["clat"]))), ["192.0.0.1"]);
  });

  it("hides nothing if it is an ip6tnl that carries the only IPv4 (MAP-E, lw4o6)", () => {
    const map = { kind: "ip6tnl", type: 769, addresses: ["198.51.100.9"], defaultRoute: true };
    const alone = { eth0: { addresses: ["2001:470::1"] }, map };
    assert.deepEqual(wanted(inputOf(byIpv4(networkOf(alone, ["map"])))), ["2001:470::1", "198.51.100.9"]);
    const beside = { eth0: { ...eth0, defaultRoute: true }, map };
    assert.deepEqual(wanted(inputOf(byIpv4(networkOf(beside, ["map"])))), ["198.51.100.9"]);
  });
});

describe("a default route over several next hops", () => {
  const tunnel = (address: string) => ({ kind: "tun", type: 65534, addresses: [address] });
  const links = { eth0, vpn0: tunnel("10.8.0.2"), vpn1: tunnel("10.8.1.2") };
  const shared = (...names: readonly string[]): Network => {
    const network = networkOf(links, names);
    const egress = network.egress.map((one) => ({
      ...one,
      sharedWith: network.egress.flatMap(({ family, ifIndex }) =>
        family === one.family && ifIndex !== one.ifIndex ? [ifIndex] : [],
      ),
    }));
    return { ...network, egress };
  };

  it("makes none of several tunnels a way past the other, and hides the rest", () => {
    assert.deepEqual(verdicts(inputOf(shared("vpn0", "vpn1"))), [
      "10.0.0.1 unusable bypasses-tunnel",
      "10.8.0.2 endpoint usable",
      "10.8.1.2 endpoint usable",
    ]);
  });

  it("hides nothing if one of them is no tunnel: the host's own traffic leaves beside the tunnel too", () => {
    assert.equal(wanted(inputOf(shared("vpn0", "eth0"))).length, 3);
  });
});

describe("what looks like a tunnel and is an uplink", () => {
  for (const [what, link] of [
    ["a modem in raw IP mode", { type: 65534 }],
    ["a modem's rmnet device", { kind: "rmnet", type: 519 }],
    ["a wwan device", { kind: "wwan", type: 65534 }],
    ["PPPoE", { kind: "ppp", type: 512 }],
  ] as const)
    it(what, () => {
      const network = networkOf({ eth0, wan: { ...link, addresses: ["10.7.0.2"] } }, ["wan"]);
      assert.deepEqual(wanted(inputOf(network)), ["10.0.0.1", "10.7.0.2"]);
    });
});

describe("endpoints of others", () => {
  const network = networkOf({ eth0 });

  it("serve an address", () => {
    const current = foreign(endpointOf({ address: "10.0.0.1", id: 7, ifIndex: 0 }));
    assert.deepEqual(verdicts(inputOf(network, { current })), ["10.0.0.1 served foreign-endpoint"]);
  });

  it("serve it not if they have a port and ours would not, or are implicit", () => {
    const withPort = foreign(endpointOf({ address: "10.0.0.1", port: 1001, flags: ["signal"] }));
    const implicit = foreign(endpointOf({ address: "10.0.0.1", flags: ["implicit"] }));
    assert.deepEqual(wanted(inputOf(network, { current: withPort })), ["10.0.0.1"]);
    assert.deepEqual(wanted(inputOf(network, { current: implicit })), ["10.0.0.1"]);
  });

  it("take slots", () => {
    const current = foreign(endpointOf({ address: "192.168.9.9", id: 3 }));
    const two = networkOf({ eth0, eth1 });
    assert.deepEqual(wanted(inputOf(two, { current, capacity: 2 })), ["10.0.0.1"]);
  });
});

describe("an endpoint that is lost", () => {
  const endpoint = endpointOf({ address: "10.0.0.1" });
  const current = ours(endpoint);
  const expired = new Set([placeOf({ address: "10.0.0.1", ifIndex: 2 })]);
  const gone: LinkSketch = { addresses: [] };

  it("is held while its removal delay runs: address gone, link down, carrier lost, deprecated", () => {
    const losses: LinkSketch[] = [
      gone,
      { ...eth0, ...down },
      { ...eth0, flags: ["up"] },
      { addresses: [{ address: "10.0.0.1", flags: ["deprecated"] }] },
    ];
    for (const loss of losses) {
      const [decision] = decide(inputOf(networkOf({ eth0: loss, eth1 }), { current }));
      assert.equal(
        decide(inputOf(networkOf({ eth0: loss }), { current })).length,
        1,
        "one decision, not two",
      );
      assert.ok(decision);
      assert.deepEqual(wanted(inputOf(networkOf({ eth0: loss, eth1 }), { current })).sort(), [
        "10.0.0.1",
        "10.0.1.1",
      ]);
      assert.deepEqual(wanted(inputOf(networkOf({ eth0: loss, eth1 }), { current, expired })), ["10.0.1.1"]);
    }
  });

  it("goes at once when its interface is gone, or a rule ignores it", () => {
    assert.deepEqual(verdicts(inputOf(networkOf({}), { current })), ["10.0.0.1 unusable interface-gone"]);
    const config = { ...defaultConfig, paths: [ruleOf({ name: "none", ignore: true })] };
    assert.deepEqual(verdicts(inputOf(networkOf({ eth0 }), { current, config })), [
      "10.0.0.1 unusable ignored",
    ]);
  });

  it("goes at once where removal-delay is 0, even if it is the last one", () => {
    for (const loss of [gone, { ...eth0, ...down }])
      assert.deepEqual(wanted(inputOf(networkOf({ eth0: loss }), { current, removalDelay: 0 })), []);
  });

  it("stays on a dead link for as long as no other endpoint is usable", () => {
    const alone = inputOf(networkOf({ eth0: { ...eth0, ...down } }), { current, expired });
    assert.deepEqual(verdicts(alone), ["10.0.0.1 held link-down"]);
    const vanished = inputOf(networkOf({ eth0: gone }), { current, expired });
    assert.deepEqual(wanted(vanished), [], "but not if its address is gone");
    const served = foreign(endpointOf({ address: "10.0.1.1", id: 9, ifIndex: 3 }));
    const both = networkOf({ eth0: { ...eth0, ...down }, eth1 });
    assert.deepEqual(
      wanted(inputOf(both, { current: [...current, ...served], expired })),
      [],
      "nor if another's is",
    );
  });

  it("keeps its address from another interface until it goes", () => {
    const moved = networkOf({ eth0: gone, eth1: { addresses: ["10.0.0.1"] } });
    assert.deepEqual(verdicts(inputOf(moved, { current })), [
      "10.0.0.1 waiting same-address",
      "10.0.0.1 held address-gone",
    ]);
    const after = desiredEndpoints(decide(inputOf(moved, { current, expired })));
    assert.deepEqual(
      after.map(({ ifIndex }) => ifIndex),
      [3],
    );
  });
});

describe("an adopted endpoint without a device", () => {
  it("stays as it is while any interface has its address", () => {
    const current = ours(endpointOf({ address: "10.0.0.1", ifIndex: 0 }));
    const [desired] = desiredEndpoints(decide(inputOf(networkOf({ eth0 }), { current })));
    assert.equal(desired?.ifIndex, 0);
  });

  it("is held when no interface has its address any more", () => {
    const current = ours(endpointOf({ address: "10.0.0.9", ifIndex: 0 }));
    assert.deepEqual(verdicts(inputOf(networkOf({ eth0 }), { current })), [
      "10.0.0.1 endpoint usable",
      "10.0.0.9 held address-gone",
    ]);
  });
});

describe("one address on two interfaces", () => {
  it("is one endpoint, on the interface where it is live", () => {
    const network = networkOf({ eth0, eth1: { addresses: ["10.0.0.1"] } });
    assert.deepEqual(verdicts(inputOf(network)), [
      "10.0.0.1 endpoint usable",
      "10.0.0.1 waiting same-address",
    ]);
    const live = ours(endpointOf({ address: "10.0.0.1", ifIndex: 3 }));
    const { decisions } = settle(inputOf(network, { current: live }));
    assert.deepEqual(
      desiredEndpoints(decisions).map(({ ifIndex }) => ifIndex),
      [3],
    );
  });
});
