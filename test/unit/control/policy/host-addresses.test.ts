import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { defaultConfig, notifyFlags } from "../../../../src/control/config/config.ts";
import { plan } from "../../../../src/control/endpoints/plan.ts";
import { type Network, NetworkModel, placeOf } from "../../../../src/control/network/network.ts";
import { hostAddresses, usableAddresses } from "../../../../src/control/policy/host-addresses.ts";
import { everyAddress, type Wanted } from "../../../../src/control/policy/input.ts";
import { decide } from "../../../../src/control/policy/policy.ts";
import { viewNetwork } from "../../../../src/path-managers/runtime/network-view.ts";
import { rounds } from "../../../lab/campaign.ts";
import { apply, change, config, current, network, unseen, wishes } from "./arbitrary-network.ts";
import { endpointOf, inputOf, networkOf } from "./world.ts";

describe("what the policy remembers", () => {
  it("is what a fresh computation gives, whatever happened before", () => {
    const step = fc.record({
      ...{ change, second: fc.boolean(), current, wanted: fc.nat(2), isExpired: fc.boolean() },
      ...{ capacity: fc.nat(5), removalDelay: fc.constantFrom(0, 2000), formerIds: fc.array(fc.nat(9)) },
    });
    const sequence = fc.array(step, { maxLength: 12 });
    fc.assert(
      fc.property(network, config, config, wishes, sequence, (start, one, other, wishes, steps) => {
        const model = new NetworkModel();
        model.replace(start);
        for (const { change, second, current, wanted, isExpired, formerIds, ...rest } of steps) {
          apply(model, change);
          const seen = model.network;
          const fresh = unseen(seen);
          const settings = second ? other : one;
          const endpoints = current.map(({ ours, ...rest }) => ({ endpoint: endpointOf(rest), ours }));
          const input = {
            ...{ ...rest, config: settings, current: endpoints },
            expired: new Set(isExpired ? endpoints.map(({ endpoint }) => placeOf(endpoint)) : []),
          };
          const formerId = (address: string) => formerIds[address.length % 5];
          const answers = (of: Network, wanted: Wanted = everyAddress) => {
            const decisions = decide(inputOf(of, { ...input, wanted }));
            return [
              ...[hostAddresses(of, settings), usableAddresses(of, settings), viewNetwork(of, settings)],
              decisions,
              plan({ ...rest, decisions, current: endpoints, formerId, droppedFlags: [] }),
            ];
          };
          const wish = wishes[wanted];
          assert.deepEqual(answers(seen, wish), answers(fresh, wish && { ...wish }));
        }
      }),
      { numRuns: rounds(500, 20_000) },
    );
  });

  const eth0 = { addresses: ["10.0.0.1"] };
  const clat = { kind: "tun", type: 65534, addresses: ["192.0.0.4"] };
  const checking = { ...defaultConfig, paths: [], notifyFlags: notifyFlags.of("check_route") };
  const withoutAddress = (gone: string) => (model: NetworkModel) => {
    const address = model.network.addresses.find((one) => one.address === gone);
    assert.ok(address);
    model.apply({ change: "deleted", address });
  };
  /** What is not the address itself, and what a change of that does to another address. */
  const dependencies: readonly (readonly [string, Network, (model: NetworkModel) => void, string, string])[] =
    [
      [
        "a gateway that is an address of this host",
        networkOf({
          br0: { kind: "bridge", addresses: ["10.0.5.1"], defaultRoute: true, gateway: "10.0.0.1" },
          eth0,
        }),
        withoutAddress("10.0.0.1"),
        ...(["guests", "usable"] as const),
      ],
      [
        "the addresses of the tunnel that IPv4 leaves by",
        {
          ...networkOf({ clat, eth0: { addresses: ["10.0.5.1"], defaultRoute: true } }),
          egress: [{ family: 4, ifIndex: 2 }],
        },
        withoutAddress("192.0.0.4"),
        ...(["usable", "bypasses-tunnel"] as const),
      ],
      [
        "a stable address beside a temporary one",
        networkOf({
          eth0: {
            addresses: [{ address: "2001:db8::5", flags: ["temporary"] }, "2001:db8::1"],
            defaultRoute: true,
          },
        }),
        withoutAddress("2001:db8::1"),
        ...(["temporary", "usable"] as const),
      ],
      [
        "a default route",
        networkOf({ eth0: { addresses: ["10.0.5.1"], defaultRoute: true } }),
        (model) => void model.replaceRouting({ ...model.network, defaultRoutes: [] }),
        ...(["usable", "no-default-route"] as const),
      ],
      [
        "the way out",
        networkOf({
          eth0: { addresses: ["10.0.5.1"], defaultRoute: true },
          wg0: { kind: "wireguard", type: 65534 },
        }),
        (model) => void model.replaceRouting({ ...model.network, egress: [{ family: 4, ifIndex: 3 }] }),
        ...(["usable", "bypasses-tunnel"] as const),
      ],
      [
        "another link",
        networkOf({
          eth0: { addresses: ["10.0.5.1"], master: 3, defaultRoute: true },
          vrf0: { kind: "vrf" },
        }),
        (model) => {
          const link = model.network.links.get(3);
          assert.ok(link);
          model.apply({ change: "new", link: { ...link, kind: "bridge" } });
        },
        ...(["usable", "enslaved"] as const),
      ],
    ];
  for (const [what, start, change, before, after] of dependencies)
    it(`depends on ${what}`, () => {
      const model = new NetworkModel();
      model.replace(start);
      const verdict = () => {
        const found = hostAddresses(model.network, checking).find(({ address }) => /5(\.1)?$/.test(address));
        return found?.reason?.code ?? "usable";
      };
      const seen = [verdict()];
      change(model);
      seen.push(verdict());
      assert.deepEqual(seen, [before, after]);
    });
});
