import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { connectionScripts, endpointScripts } from "../lab/conformance/random-scripts.ts";
import { RealStage } from "../lab/conformance/real-stage.ts";
import { run, type Script } from "../lab/conformance/script.ts";
import { knownScripts } from "../lab/conformance/scripts.ts";
import { SimulatedStage } from "../lab/conformance/simulated-stage.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";

/**
 * The simulation is of Linux 6.18. Older kernels say other words, clear the limit of accepted addresses at a flush
 * (here "limits, and what a flush leaves of them"), take an endpoint of id 0 for what it says, do not know laminar, and
 * tell the family of an announced IPv6 address.
 */
const skip = requires() || (kernelIsOlderThan("6.18") && "is for Linux 6.18 and newer");

describe("the kernel's path managers do what the simulated ones do", { skip }, () => {
  let lab: Lab;
  let real: RealStage;
  before(async () => {
    lab = await Lab.create();
    real = await RealStage.create(await lab.here());
  });
  after(async () => {
    real.end();
    await lab.close();
  });

  async function compare(script: Script): Promise<void> {
    const simulated = await run(new SimulatedStage(), script);
    assert.deepEqual(simulated, await run(real, script, simulated));
  }

  for (const [about, script] of Object.entries(knownScripts)) it(`with ${about}`, () => compare(script));

  for (const [about, scripts] of [
    ["endpoints", endpointScripts],
    ["a connection", connectionScripts],
  ] as const)
    it(`with any commands for ${about}`, async (t) => {
      const seed = randomInt(2 ** 31);
      t.diagnostic(`seed ${seed}`);
      await fc.assert(fc.asyncProperty(scripts, compare), {
        seed,
        numRuns: rounds(40, 400),
        endOnFailure: true,
      });
    });
});
