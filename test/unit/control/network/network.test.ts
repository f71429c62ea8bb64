import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Network, NetworkModel } from "../../../../src/control/network/network.ts";
import { networkOf } from "../policy/world.ts";

/** Whether the ways out have to be read again when the first address of a network goes. */
function isRoutingAtStake(network: Network): boolean {
  const model = new NetworkModel();
  model.replace(network);
  const [address] = network.addresses;
  assert.ok(address);
  return model.apply({ change: "deleted", address }).routing ?? false;
}

/** Its IPv4 default route names an address as its source. */
function withSource(network: Network, source: string): Network {
  const [route, ...others] = network.defaultRoutes;
  assert.ok(route);
  return { ...network, defaultRoutes: [{ ...route, source }, ...others] };
}

describe("an address that goes", () => {
  it("takes a route with it, without a word, that names it as its source", () => {
    const network = networkOf({ eth0: { addresses: ["10.0.0.1", "10.0.0.2"], defaultRoute: true } });
    assert.equal(isRoutingAtStake(withSource(network, "10.0.0.1")), true);
    assert.equal(isRoutingAtStake(withSource(network, "10.0.0.2")), false);
  });

  it("takes the routes of its link with it, if it was the last address of its family there", () => {
    const last = { eth0: { addresses: ["10.0.0.1", "2001:db8::1"], defaultRoute: true } };
    assert.equal(isRoutingAtStake(networkOf(last)), true);
    const another = { eth0: { addresses: ["10.0.0.1", "10.0.0.2"], defaultRoute: true } };
    assert.equal(isRoutingAtStake(networkOf(another)), false);
  });

  it("of a link without a default route changes nothing about the ways out", () => {
    const network = networkOf({
      eth0: { addresses: ["10.0.0.1"] },
      eth1: { addresses: ["10.0.1.1"], defaultRoute: true },
    });
    assert.equal(isRoutingAtStake(network), false);
  });
});
