import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { placeOf } from "../../../../src/control/network/network.ts";
import {
  compareNetworks,
  emptyView,
  type LocalAddress,
  type NetworkChange,
  type NetworkInterface,
  type NetworkView,
  viewNetwork,
} from "../../../../src/path-managers/runtime/network-view.ts";
import { type LinkSketch, networkOf } from "../../control/policy/world.ts";
import { config } from "./fakes.ts";

const view = (sketches: Readonly<Record<string, LinkSketch>>) => viewNetwork(networkOf(sketches), config);

const shown = (change: NetworkChange): string =>
  "address" in change
    ? `${change.type} ${change.address.address} ${change.interface.name}`
    : `${change.type} ${change.interface.name}`;

describe("what has changed in a network", () => {
  const eth0 = { addresses: ["10.0.0.1", "10.0.0.2"] };

  it("is nothing between a network and itself, or one that is alike", () => {
    assert.deepEqual(compareNetworks(view({ eth0 }), view({ eth0 })), []);
    assert.deepEqual(compareNetworks(emptyView, emptyView), []);
  });

  it("is told so that an interface is there while its addresses are", () => {
    assert.deepEqual(compareNetworks(emptyView, view({ eth0 })).map(shown), [
      ...["newInterface eth0", "newLocalAddress 10.0.0.1 eth0", "newLocalAddress 10.0.0.2 eth0"],
    ]);
    assert.deepEqual(compareNetworks(view({ eth0 }), emptyView).map(shown), [
      ...["deleteLocalAddress 10.0.0.1 eth0", "deleteLocalAddress 10.0.0.2 eth0", "deleteInterface eth0"],
    ]);
  });

  it("is an interface that is different in itself, but not one with other addresses", () => {
    const changes = (after: LinkSketch, name = "eth0") =>
      compareNetworks(view({ eth0 }), view({ [name]: after })).map(shown);
    assert.deepEqual(changes(eth0, "uplink"), ["updateInterface uplink"]);
    assert.deepEqual(changes({ ...eth0, kind: "vlan" }), ["updateInterface eth0"]);
    assert.deepEqual(changes({ ...eth0, defaultRoute: true }), ["updateInterface eth0"]);
    assert.deepEqual(changes({ ...eth0, flags: ["up", "running", "promisc"] }), ["updateInterface eth0"]);
    assert.deepEqual(changes({ addresses: ["10.0.0.1"] }), ["deleteLocalAddress 10.0.0.2 eth0"]);
  });

  it("tells how the interface was before", () => {
    const [change] = compareNetworks(view({ eth0 }), view({ uplink: eth0 }));
    assert.ok(change?.type === "updateInterface");
    assert.deepEqual([change.before.name, change.interface.name], ["eth0", "uplink"]);
  });

  it("is an address that moves: it goes from one interface, and comes to the other", () => {
    const before = view({ eth0: { addresses: ["10.0.0.1"] }, eth1: {} });
    const after = view({ eth0: {}, eth1: { addresses: ["10.0.0.1"] } });
    assert.deepEqual(compareNetworks(before, after).map(shown), [
      ...["deleteLocalAddress 10.0.0.1 eth0", "newLocalAddress 10.0.0.1 eth1"],
    ]);
  });
});

const sketch: fc.Arbitrary<LinkSketch> = fc.record({
  kind: fc.constantFrom("vlan", "bond"),
  defaultRoute: fc.boolean(),
  flags: fc.constantFrom(["up", "running"] as const, ["up"] as const, ["up", "running", "promisc"] as const),
  addresses: fc.uniqueArray(fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1", "fe80::1")),
});

/** Interfaces get their index by the order in which they are: so one of an index may have any name. */
const views = fc.dictionary(fc.constantFrom("eth0", "eth1", "wlan0", "wwan0"), sketch).map(view);

/** What a path manager knows that only follows the changes. */
class Follower {
  readonly interfaces = new Map<number, NetworkInterface>();
  readonly addresses = new Map<string, LocalAddress>();

  follow(change: NetworkChange): void {
    const { index } = change.interface;
    if (change.type === "newInterface") {
      assert.equal(this.interfaces.has(index), false, "an interface comes once");
      this.interfaces.set(index, change.interface);
    } else if (change.type === "deleteInterface") {
      const left = [...this.addresses.values()].filter(({ ifIndex }) => ifIndex === index);
      assert.deepEqual(left, [], "an interface that goes has no address left");
      assert.ok(this.interfaces.delete(index));
    } else if (change.type === "updateInterface") {
      assert.deepEqual(this.interfaces.get(index), change.before);
      this.interfaces.set(index, change.interface);
    } else if (change.type === "newLocalAddress" || change.type === "deleteLocalAddress") {
      assert.ok(this.interfaces.has(index), "an address has its interface");
      assert.equal(change.address.ifIndex, index);
      const place = placeOf(change.address);
      assert.equal(this.addresses.has(place), change.type === "deleteLocalAddress");
      if (change.type === "newLocalAddress") this.addresses.set(place, change.address);
      else this.addresses.delete(place);
    }
  }
}

const known = ({ name, kind, flags, hasDefaultRoute }: NetworkInterface) =>
  `${name} ${kind} ${flags} ${hasDefaultRoute}`;

/** Interfaces are compared without their addresses, which have changes of their own. */
function truth({ interfaces, addresses }: NetworkView) {
  return {
    interfaces: new Map(interfaces.map((one) => [one.index, known(one)])),
    addresses: new Set(addresses.map(placeOf)),
  };
}

describe("whoever follows the changes of any two networks", () => {
  it("knows the second, having known the first", () => {
    fc.assert(
      fc.property(views, views, (before, after) => {
        const follower = new Follower();
        for (const change of compareNetworks(emptyView, before)) follower.follow(change);
        for (const one of before.interfaces) follower.interfaces.set(one.index, one);
        for (const change of compareNetworks(before, after)) follower.follow(change);
        const { interfaces, addresses } = follower;
        assert.deepEqual(
          {
            interfaces: new Map([...interfaces].map(([index, one]) => [index, known(one)])),
            addresses: new Set(addresses.keys()),
          },
          truth(after),
        );
      }),
    );
  });
});
