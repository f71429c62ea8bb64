import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { EndpointKernel } from "../../../../src/control/endpoints/endpoint-table.ts";
import type { Limits, NewEndpoint } from "../../../../src/kernel/mptcp-pm.ts";
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
          const mortal = new MortalKernel(world.kernel, deadly, carriedOut);
          world.startReconciler(mortal);
          for (const network of before) await Promise.race([world.become(network), mortal.death]);

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
          await world.reconciler.stop({ remove: true });
          assert.deepEqual(world.kernel.endpoints, [theirs]);
          assert.deepEqual(
            world.kernel.limits,
            { subflows: 2, addAddrAccepted: 0 },
            "as the administrator had them",
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** The kernel as a daemon sees it that dies at the nth command: from then on nothing that it asks for happens. */
class MortalKernel implements EndpointKernel {
  readonly death: Promise<void>;
  readonly #kernel: EndpointKernel;
  readonly #deadly: number;
  readonly #carriedOut: boolean;
  #commands = 0;
  #die: () => void = () => undefined;

  constructor(kernel: EndpointKernel, deadly: number, carriedOut: boolean) {
    this.#kernel = kernel;
    this.#deadly = deadly;
    this.#carriedOut = carriedOut;
    this.death = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  dumpEndpoints = () => this.#kernel.dumpEndpoints();
  getEndpoint = (id: number) => this.#kernel.getEndpoint(id);
  getLimits = () => this.#kernel.getLimits();
  addEndpoint = (endpoint: NewEndpoint) => this.#live(() => this.#kernel.addEndpoint(endpoint));
  deleteEndpoint = (endpoint: { id: number }) => this.#live(() => this.#kernel.deleteEndpoint(endpoint));
  changeEndpoint = (change: EndpointChange) => this.#live(() => this.#kernel.changeEndpoint(change));
  setLimits = (limits: Limits) => this.#live(() => this.#kernel.setLimits(limits));

  async #live(command: () => Promise<void>): Promise<void> {
    const number = this.#commands++;
    if (number < this.#deadly) await command();
    else if (number === this.#deadly && this.#carriedOut) await command().catch(() => undefined);
    if (number >= this.#deadly) this.#die();
    // The dead hear no answer, not even to what they asked before.
    if (this.#commands > this.#deadly) await new Promise<never>(() => undefined);
  }
}

type EndpointChange = Parameters<EndpointKernel["changeEndpoint"]>[0];
