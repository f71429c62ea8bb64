import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { defaultConfig, notifyFlags } from "../../../../src/control/config/config.ts";
import { type Network, NetworkModel } from "../../../../src/control/network/network.ts";
import { hostAddresses, usableAddresses } from "../../../../src/control/policy/host-addresses.ts";
import { decide } from "../../../../src/control/policy/policy.ts";
import { viewNetwork } from "../../../../src/path-managers/runtime/network-view.ts";
import { rounds } from "../../../lab/campaign.ts";
import { address, config, current, ifIndex, network, upOrDown } from "./arbitrary-network.ts";
import { endpointOf, inputOf, networkOf } from "./world.ts";

/** The same network of objects that nobody has seen. */
function unseen({ links, addresses, ...rest }: Network): Network {
  return {
    ...rest,
    links: new Map([...links].map(([index, link]) => [index, { ...link }])),
    addresses: addresses.map((one) => ({ ...one })),
  };
}

const change = fc.oneof(
  fc.record({ kind: fc.constant("none" as const) }),
  fc.record({ kind: fc.constant("link" as const), index: ifIndex, flags: upOrDown }),
  fc.record({ kind: fc.constant("unlink" as const), index: ifIndex }),
  fc.record({ kind: fc.constant("address" as const), index: ifIndex, sketch: address }),
  fc.record({ kind: fc.constant("removal" as const), place: fc.nat(9) }),
  fc.record({ kind: fc.constant("routing" as const), from: network }),
);

function apply(model: NetworkModel, what: typeof change extends fc.Arbitrary<infer One> ? One : never): void {
  const { links, addresses } = model.network;
  if (what.kind === "link" || what.kind === "unlink") {
    const link = links.get(what.index);
    if (link === undefined) return;
    if (what.kind === "unlink") model.apply({ change: "deleted", link });
    else model.apply({ change: "new", link: { ...link, flags: what.flags } });
  } else if (what.kind === "address") {
    const [made] = networkOf({ made: { addresses: [what.sketch] } }).addresses;
    if (made !== undefined) model.apply({ change: "new", address: { ...made, ifIndex: what.index } });
  } else if (what.kind === "removal") {
    const gone = addresses[what.place];
    if (gone !== undefined) model.apply({ change: "deleted", address: gone });
  } else if (what.kind === "routing") model.replaceRouting(what.from);
}

describe("what the policy remembers", () => {
  it("is what a fresh computation gives, whatever happened before", () => {
    const step = fc.record({ change, second: fc.boolean(), current });
    fc.assert(
      fc.property(network, config, config, fc.array(step, { maxLength: 12 }), (start, one, other, steps) => {
        const model = new NetworkModel();
        model.replace(start);
        for (const { change, second, current } of steps) {
          apply(model, change);
          const seen = model.network;
          const fresh = unseen(seen);
          const settings = second ? other : one;
          const endpoints = current.map(({ ours, ...rest }) => ({ endpoint: endpointOf(rest), ours }));
          const answers = (of: Network) => [
            ...[hostAddresses(of, settings), usableAddresses(of, settings), viewNetwork(of, settings)],
            decide(inputOf(of, { config: settings, current: endpoints })),
          ];
          assert.deepEqual(answers(seen), answers(fresh));
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
