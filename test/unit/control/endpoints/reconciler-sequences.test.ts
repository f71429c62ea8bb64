import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NetworkModel } from "../../../../src/control/network/network.ts";
import { rounds } from "../../../lab/campaign.ts";
import { apply, change, config, current, network, unseen } from "../policy/arbitrary-network.ts";
import { endpointOf } from "../policy/world.ts";
import { World } from "./fakes.ts";

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("network" as const), change }) },
  fc.record({ kind: fc.constant("time" as const), milliseconds: fc.constantFrom(100, 2000, 31_000) }),
  fc.record({ kind: fc.constant("others" as const), endpoints: current }),
  fc.record({ kind: fc.constant("slots" as const), slots: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant("config" as const), config, removalDelay: fc.constantFrom(0, 2000) }),
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

async function follow(world: World, step: Step): Promise<void> {
  if (step.kind === "time") return await world.advance(step.milliseconds);
  if (step.kind === "config") world.config = { ...step.config, removalDelay: step.removalDelay };
  else if (step.kind === "slots") world.kernel.differ({ slots: step.slots });
  else if (step.kind === "others") {
    const { endpoints } = world.kernel;
    const others = step.endpoints.map(({ ours: _, ...rest }, index) =>
      endpointOf({ ...rest, id: 100 + index, flags: ["signal"] }),
    );
    const free = others.filter(({ address }) => endpoints.every((one) => one.address !== address));
    world.kernel.endpoints = [...endpoints.filter(({ id }) => id < 100), ...free];
    world.reconciler.resync();
  }
  world.reconciler.trigger();
  await world.reconciler.settled();
}

describe("a reconciler that has seen a network change", () => {
  it("sends what one sends that sees each network for the first time", async (t) => {
    await fc.assert(
      fc.asyncProperty(
        network,
        fc.array(step, { maxLength: 15 }),
        fc.boolean(),
        async (start, steps, hasPeers) => {
          const model = new NetworkModel();
          model.replace(start);
          const [world, forgetful] = [new World(t), new World(t)];
          for (const one of [world, forgetful]) one.kernel.hasPeers = hasPeers;
          for (const step of steps) {
            if (step.kind === "network") apply(model, step.change);
            world.network = model.network;
            forgetful.network = unseen(model.network);
            await follow(world, step);
            await follow(forgetful, step);
            assert.deepEqual(world.commands(), forgetful.commands());
            assert.deepEqual(world.kernel.listed, forgetful.kernel.listed);
          }
        },
      ),
      { numRuns: rounds(150, 5000) },
    );
  });
});
