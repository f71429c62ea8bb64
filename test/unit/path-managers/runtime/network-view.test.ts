import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Config, notifyFlags } from "../../../../src/control/config/config.ts";
import { parsePrefix } from "../../../../src/control/config/match.ts";
import type { Network } from "../../../../src/control/network/network.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { type NetworkView, viewNetwork } from "../../../../src/path-managers/runtime/network-view.ts";
import { type LinkSketch, networkOf, ruleOf } from "../../control/policy/world.ts";
import { config } from "./fakes.ts";

const eth0 = { addresses: ["10.0.0.1"] };
const eth1 = { addresses: ["10.0.1.1"] };

function view(
  sketches: Readonly<Record<string, LinkSketch>>,
  changes: Partial<Config> = {},
  egress: readonly string[] = [],
): NetworkView {
  return viewNetwork(networkOf(sketches, egress), { ...config, ...changes });
}

const addresses = (of: Pick<NetworkView, "addresses">) => of.addresses.map(({ address }) => address);
const names = (list: NetworkView["interfaces"]) => list.map(({ name }) => name);

describe("the addresses that path managers see", () => {
  it("are those that can be used", () => {
    const mixed = [
      ...["10.0.0.1", "fe80::1", "169.254.1.1", "2001:db8::1"],
      ...[{ address: "2001:db8::2", flags: ["tentative"] as const }],
      ...[{ address: "2001:db8::3", flags: ["deprecated"] as const }],
    ];
    const lo = { flags: ["up", "running", "loopback"] as const, addresses: ["127.0.0.1", "10.9.9.9"] };
    assert.deepEqual(addresses(view({ lo, eth0: { addresses: mixed } })), ["10.0.0.1", "2001:db8::1"]);
  });

  it("are on interfaces that are up, have a carrier, and are no ports of others", () => {
    const links = {
      eth0,
      eth1: { ...eth1, flags: ["up"] as const },
      eth2: { addresses: ["10.0.2.1"], flags: [] as const },
      br0: { kind: "bridge", addresses: ["10.0.3.1"] },
      eth3: { addresses: ["10.0.4.1"], master: 5 },
    };
    assert.deepEqual(addresses(view(links)), ["10.0.0.1", "10.0.3.1"]);
  });

  it("are not those that the configuration ignores, that would bypass a tunnel, or that check_route keeps back", () => {
    const paths = [ruleOf({ name: "no", matchInterface: ["eth1"], ignore: true })];
    assert.deepEqual(addresses(view({ eth0, eth1 }, { paths })), ["10.0.0.1"]);
    const wg0 = { kind: "wireguard", type: 65534, addresses: ["10.8.0.2"] };
    assert.deepEqual(addresses(view({ eth0, wg0 }, {}, ["wg0"])), ["10.8.0.2"]);
    const checking = { notifyFlags: notifyFlags.of("check_route") };
    assert.deepEqual(addresses(view({ eth0: { ...eth0, defaultRoute: true }, eth1 }, checking)), [
      "10.0.0.1",
    ]);
  });

  it("are there once, whatever prefix lengths the kernel has them with", () => {
    const twice = { addresses: ["10.0.0.1", { address: "10.0.0.1", prefixLength: 32 }] };
    assert.deepEqual(addresses(view({ eth0: twice })), ["10.0.0.1"]);
    assert.deepEqual(
      view({ eth0: twice, eth1: eth0 }).addresses.map((one) => one.interface),
      ["eth0", "eth1"],
      "but on each of its interfaces",
    );
  });

  it("come best first: by priority, with a default route, global ones, then as they came", () => {
    const tenThree = parsePrefix("10.0.3.1");
    assert.ok(!("problem" in tenThree));
    const paths = [
      ruleOf({ name: "last", matchInterface: ["wwan*"], priority: 10 }),
      ruleOf({
        name: "first",
        matchAddress: [tenThree],
        priority: -1,
      }),
    ];
    const links = {
      wwan0: { addresses: ["10.0.4.1"], defaultRoute: true },
      eth0: { addresses: ["10.0.0.1", "fd00::1", "2001:db8::1"] },
      eth1: { ...eth1, defaultRoute: true },
      eth2: { addresses: ["10.0.3.1"] },
    };
    const found = view(links, { paths });
    assert.deepEqual(addresses(found), [
      ...["10.0.3.1", "10.0.1.1", "10.0.0.1", "2001:db8::1", "fd00::1", "10.0.4.1"],
    ]);
    assert.deepEqual(names(found.uplinks), ["eth2", "eth1", "eth0", "wwan0"]);
    assert.deepEqual(addresses(found.uplinks[2] ?? assert.fail()), ["10.0.0.1", "2001:db8::1", "fd00::1"]);
  });

  it("say what the configuration says of them", () => {
    const flags = endpointFlags.of("signal");
    const paths = [ruleOf({ name: "told", matchInterface: ["eth1"], flags, port: 8080, priority: 3 })];
    const shown = view({ eth0, eth1 }, { paths }).addresses.map(
      (one) =>
        `${one.address} ${one.family} ${one.ifIndex} ${one.interface} ${one.flags} ${one.port} ${one.priority}`,
    );
    assert.deepEqual(shown, ["10.0.0.1 4 2 eth0 subflow 0 0", "10.0.1.1 4 3 eth1 signal 8080 3"]);
  });
});

describe("the interfaces that path managers see", () => {
  it("are those that packets can leave by, also without an address; uplinks have one", () => {
    const lo = { flags: ["up", "running", "loopback"] as const };
    const found = view({ lo, eth0: { flags: ["up"] }, eth1: {}, eth2: eth0 });
    assert.deepEqual(names(found.interfaces), ["eth1", "eth2"]);
    assert.deepEqual(names(found.uplinks), ["eth2"]);
  });

  it("say their kind, and whether packets to anywhere leave by them", () => {
    const found = view({ eth0: { ...eth0, defaultRoute: true }, vlan7: { ...eth1, kind: "vlan" } });
    assert.deepEqual(
      found.interfaces.map(({ name, kind, hasDefaultRoute, index }) => [name, kind, hasDefaultRoute, index]),
      [
        ["eth0", "physical", true, 2],
        ["vlan7", "vlan", false, 3],
      ],
    );
    assert.equal(found.defaultRoutes.length, 2);
  });
});

describe("a view of a network", () => {
  it("is the same as long as network and configuration are", () => {
    const network: Network = networkOf({ eth0 });
    assert.equal(viewNetwork(network, config), viewNetwork(network, config));
    assert.notEqual(viewNetwork(network, config), viewNetwork(network, { ...config }));
    assert.notEqual(viewNetwork(network, config), viewNetwork({ ...network }, config));
  });
});
