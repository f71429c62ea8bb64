import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfig } from "../../../../src/control/config/config.ts";
import { type EndpointFlag, endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { definePathManager, type EndpointWish } from "../../../../src/path-managers/runtime/api.ts";
import type { LocalAddress } from "../../../../src/path-managers/runtime/network-view.ts";
import { askForEndpoints } from "../../../../src/path-managers/runtime/requested-endpoints.ts";
import { networkOf, ruleOf } from "../../control/policy/world.ts";

const network = networkOf({ eth0: { addresses: ["10.0.0.1"] }, eth1: { addresses: ["10.0.1.1"] } });
const paths = [
  ruleOf({
    name: "told",
    matchInterface: ["eth1"],
    flags: endpointFlags.of("signal"),
    port: 8080,
    priority: 3,
  }),
];
const config = { ...defaultConfig, paths };

/** What becomes of the requests of a path manager, "address flags port priority". */
function wanted(wish: (address: LocalAddress) => EndpointWish): string[] {
  const definition = definePathManager({ name: "test", endpoints: ({ addresses }) => addresses.map(wish) });
  return askForEndpoints({ definition, options: {} }, network, config).map(
    ({ address, ifIndex, flags, port, priority }) => `${address}%${ifIndex} ${flags} ${port} ${priority}`,
  );
}

describe("a wish for an endpoint", () => {
  it("is as the configuration has its address, where nothing else is said", () => {
    assert.deepEqual(
      wanted((address) => ({ address })),
      ["10.0.0.1%2 subflow 0 0", "10.0.1.1%3 signal 8080 3"],
    );
  });

  it("says something else", () => {
    const wish = (address: LocalAddress) => ({ address, flags: ["signal"], port: 99, priority: -1 }) as const;
    assert.deepEqual(wanted(wish), ["10.0.0.1%2 signal 99 -1", "10.0.1.1%3 signal 99 -1"]);
  });

  it("may take the configuration's port away", () => {
    const wish = (address: LocalAddress) => ({ address, port: 0, flags: ["subflow"] }) as const;
    assert.deepEqual(wanted(wish), ["10.0.0.1%2 subflow 0 0", "10.0.1.1%3 subflow 0 3"]);
  });

  it("is refused where the kernel would refuse it", () => {
    const refused = (more: Omit<EndpointWish, "address">) => () =>
      wanted((address) => ({ address, ...more }));
    assert.throws(refused({ flags: ["signal", "fullmesh"] }), /both signal and fullmesh/);
    assert.throws(refused({ port: 99 }), /10.0.0.1 has a port: that takes the flag signal, without subflow/);
    assert.throws(refused({ flags: ["signal", "subflow"], port: 99 }), /10.0.0.1 has a port/);
    assert.throws(refused({ flags: ["subflow"] }), /10.0.1.1 has a port/, "the port is the configuration's");
    assert.throws(refused({ flags: ["signal"], port: 70000 }), /70000 is no port/);
    assert.throws(refused({ flags: ["signal"], priority: Number.NaN }), /NaN is no priority/);
  });

  it("is refused where its words are unknown, or the kernel keeps them for itself", () => {
    const flags: readonly EndpointFlag[] = JSON.parse('["sublow"]');
    assert.throws(() => wanted((address) => ({ address, flags })), /sublow is no flag/);
    assert.throws(() => wanted((address) => ({ address, flags: ["implicit"] })), /implicit is no flag/);
  });

  it("is for one of the network's addresses, and for each once", () => {
    const text: LocalAddress = JSON.parse('"10.0.0.1"');
    assert.throws(() => wanted(() => ({ address: text })), /10.0.0.1 is wanted: .* not its text/);
    let first: LocalAddress | undefined;
    const twice = (address: LocalAddress) => {
      first ??= address;
      return { address: first };
    };
    assert.throws(() => wanted(twice), /10.0.0.1 is wanted twice/);
  });

  it("names an address and an interface as the network does", () => {
    const changed = (how: object) => (address: LocalAddress) => ({ address: { ...address, ...how } });
    assert.throws(() => wanted(changed({ address: "FD00::1" })), /FD00::1 is wanted: an address has to be/);
    assert.throws(() => wanted(changed({ ifIndex: -1 })), /endpoint 10.0.0.1: -1 is not an interface index/);
  });
});
