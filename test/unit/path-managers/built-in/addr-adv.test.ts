import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decide } from "../../../../src/control/policy/policy.ts";
import addrAdv from "../../../../src/path-managers/built-in/addr-adv.ts";
import { askForEndpoints } from "../../../../src/path-managers/runtime/requested-endpoints.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";
import { config, current, network } from "../../control/policy/arbitrary-network.ts";
import { endpointOf, inputOf } from "../../control/policy/world.ts";

const interfaces = { eth0: ["10.0.1.2", "fd00:1::2", "fe80::2"], wwan0: ["10.0.2.2"] };

describe("addr_adv", () => {
  it("wants every address that can be used as an endpoint, with the flags of the configuration", async () => {
    const simulation = await simulate(addrAdv, { interfaces });
    assert.deepEqual(simulation.wantedEndpoints, [
      "10.0.1.2 subflow",
      "10.0.2.2 subflow",
      "fd00:1::2 subflow",
    ]);
    const config = [
      ...["[core]", "addr-flags=subflow,fullmesh"],
      ...["[path lte]", "match-interface=wwan*", "flags=signal", "port=8080"],
      ...["[path old]", "match-address=10.0.1.0/24", "ignore=yes"],
    ].join("\n");
    const ruled = await simulate(addrAdv, { interfaces, config });
    assert.deepEqual(ruled.wantedEndpoints, ["10.0.2.2 port 8080 signal", "fd00:1::2 subflow,fullmesh"]);
  });

  it("says what the policy decides without being asked", () => {
    fc.assert(
      fc.property(network, config, current, (network, config, current) => {
        const endpoints = current.map(({ ours, ...rest }) => ({ endpoint: endpointOf(rest), ours }));
        const input = inputOf(network, { config, current: endpoints, capacity: 4 });
        const wanted = {
          by: addrAdv.name,
          endpoints: askForEndpoints({ definition: addrAdv, options: {} }, network, config),
        };
        assert.deepEqual(decide({ ...input, wanted }), decide(input));
      }),
    );
  });

  it("follows the network", async () => {
    const simulation = await simulate(addrAdv, { interfaces });
    simulation.cut("eth0");
    assert.deepEqual(simulation.wantedEndpoints, ["10.0.2.2 subflow"]);
    simulation.restore("eth0");
    simulation.unplug("wwan0");
    simulation.removeAddress("eth0", "10.0.1.2");
    assert.deepEqual(simulation.wantedEndpoints, ["fd00:1::2 subflow"]);
  });

  it("leaves connections to the kernel", async () => {
    const simulation = await simulate(addrAdv, { interfaces, pathManager: "kernel" });
    const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
    peer.announce(4, "10.0.9.10");
    await simulation.settle();
    peer.breakSubflows("10.0.1.2");
    await simulation.restart();
    assert.deepEqual([peer.subflows, peer.announced, simulation.faults], [[], [], 0]);
  });

  it("comes after whatever else wants endpoints", () => {
    assert.equal(addrAdv.priority, 19);
  });

  it("takes no options", async () => {
    await assert.rejects(
      simulate(addrAdv, { options: { port: "1" } }),
      /options:0: addr_adv takes no options/,
    );
  });
});
