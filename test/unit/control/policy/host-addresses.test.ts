import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Network, NetworkModel } from "../../../../src/control/network/network.ts";
import { hostAddresses, usableAddresses } from "../../../../src/control/policy/host-addresses.ts";
import { decide } from "../../../../src/control/policy/policy.ts";
import { viewNetwork } from "../../../../src/path-managers/runtime/network-view.ts";
import { address, config, current, ifIndex, network, upOrDown } from "./arbitrary-network.ts";
import { endpointOf, inputOf, networkOf } from "./world.ts";

/** The same network of objects that nobody has seen. */
function unseen({ addresses, ...rest }: Network): Network {
  return { ...rest, addresses: addresses.map((one) => ({ ...one })) };
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
    );
  });
});
