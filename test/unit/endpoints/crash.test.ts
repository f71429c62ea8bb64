import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { endpointOf, type LinkSketch } from "../policy/world.ts";
import { World } from "./fakes.ts";

const interfaces = ["eth0", "eth1", "eth2"];

/** Any network of three interfaces with a few addresses each. */
const sketches = fc
  .array(fc.subarray([1, 2, 3, 4]), { minLength: 3, maxLength: 3 })
  .map((all) =>
    Object.fromEntries(
      all.map((hosts, index): [string, LinkSketch] => [
        interfaces[index] ?? "",
        { addresses: hosts.map((host) => `10.0.${index}.${host}`) },
      ]),
    ),
  );

describe("a daemon that dies at any command, before or after the kernel carries it out", () => {
  it("finds its endpoints again, loses none, and touches nobody else's", async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sketches, { minLength: 1, maxLength: 4 }),
        sketches,
        fc.nat(12),
        fc.boolean(),
        async (before, after, deadly, carriedOut) => {
          const world = new World(t);
          const theirs = endpointOf({ id: 200, address: "192.168.7.7", ifIndex: 0 });
          world.kernel.endpoints = [theirs];
          killAt(world, deadly, carriedOut);
          for (const network of before) await Promise.race([world.become(network), dead(world)]);

          revive(world);
          world.startReconciler();
          await world.become(after);

          const wanted = Object.values(after).flatMap(({ addresses = [] }) => addresses.map(String));
          const expected = [...wanted.slice(0, 7), theirs.address].sort();
          assert.equal(world.kernel.endpoints.length, expected.length);
          if (wanted.length <= 7) assert.deepEqual(world.kernel.addresses, expected);
          const ours = world
            .ledger()
            .endpoints.map(({ id }) => id)
            .sort();
          const theKernels = world.kernel.endpoints.map(({ id }) => id).filter((id) => id !== theirs.id);
          assert.deepEqual(ours, theKernels.sort(), "the ledger is what the kernel has of ours");
          assert.ok(world.kernel.endpoints.includes(theirs));
        },
      ),
      { numRuns: 200 },
    );
  });
});

const deaths = new WeakMap<World, { readonly promise: Promise<void>; readonly die: () => void }>();

/** From the nth command on, nothing that the reconciler asks for is answered: to it, time has ended. */
function killAt(world: World, deadly: number, carriedOut: boolean): void {
  let count = 0;
  let die: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    die = resolve;
  });
  deaths.set(world, { promise, die });
  const never = new Promise<never>(() => undefined);
  const { kernel } = world;
  for (const name of ["addEndpoint", "deleteEndpoint", "setLimits"] as const) {
    const original: (argument: never) => Promise<void> = kernel[name].bind(kernel);
    kernel[name] = async (argument: never) => {
      if (count++ !== deadly) return original(argument);
      if (carriedOut) await original(argument).catch(() => undefined);
      die();
      return never;
    };
  }
}

function dead(world: World): Promise<void> | undefined {
  return deaths.get(world)?.promise;
}

/** The kernel answers again; what the dead one asked for stays unanswered. */
function revive(world: World): void {
  const { kernel } = world;
  for (const name of ["addEndpoint", "deleteEndpoint", "setLimits"] as const)
    Reflect.deleteProperty(kernel, name);
}
