import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { connectionScripts, endpointScripts } from "../../../lab/conformance/random-scripts.ts";
import { type Outcome, run, type Script } from "../../../lab/conformance/script.ts";
import { knownScripts } from "../../../lab/conformance/scripts.ts";
import { SimulatedStage } from "../../../lab/conformance/simulated-stage.ts";

// That the real kernel gives the same is for test/kernel/path-manager-conformance.test.ts.

const simulated = (script: Script): Promise<Outcome[]> => run(new SimulatedStage(), script);

async function always(
  t: TestContext,
  scripts: fc.Arbitrary<Script>,
  holds: (outcomes: readonly Outcome[], script: Script) => void | Promise<void>,
): Promise<void> {
  const seed = randomInt(2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const property = fc.asyncProperty(scripts, async (script) => holds(await simulated(script), script));
  await fc.assert(property, { seed, numRuns: 200 });
}

const isRefused = ({ answer }: Outcome): boolean => /^E[A-Z]/.test(answer);
const endpointsIn = ({ state }: Outcome): string[] => state.filter((line) => /^\d+ /.test(line));

describe("the simulated path managers, whatever they are asked for,", () => {
  for (const [about, script] of Object.entries(knownScripts))
    it(`do the same a second time, with ${about}`, async () => {
      assert.deepEqual(await simulated(script), await simulated(script));
    });

  it("do the same a second time", async (t) => {
    await always(t, fc.oneof(endpointScripts, connectionScripts), async (outcomes, script) =>
      assert.deepEqual(await simulated(script), outcomes),
    );
  });

  it("leave endpoints and limits as they are where they refuse a command for one", async (t) => {
    await always(t, endpointScripts, (outcomes) =>
      outcomes.forEach((outcome, at) => {
        const before = at === 0 ? ["limits 2 0"] : outcomes[at - 1]?.state;
        if (isRefused(outcome)) assert.deepEqual(outcome.state, before, outcome.step);
      }),
    );
  });

  it("have at most eight endpoints, by id, and no id or place twice", async (t) => {
    await always(t, endpointScripts, (outcomes) => {
      for (const outcome of outcomes) {
        const endpoints = endpointsIn(outcome).map((line) => line.split(" "));
        const ids = endpoints.map(([id]) => Number(id));
        const places = endpoints.map(
          ([, address = "", , port]) => `${address.replace("::ffff:", "")} ${port}`,
        );
        assert.deepEqual(
          ids,
          [...new Set(ids)].sort((a, b) => a - b),
        );
        assert.equal(new Set(places).size, places.length);
        assert.ok(ids.length <= 8 && ids.every((id) => id >= 1 && id <= 255));
      }
    });
  });

  it("tell of nothing where they refuse a command for a connection", async (t) => {
    await always(t, connectionScripts, (outcomes) => {
      for (const outcome of outcomes)
        if (isRefused(outcome)) assert.deepEqual(outcome.events, [], outcome.step);
    });
  });
});
