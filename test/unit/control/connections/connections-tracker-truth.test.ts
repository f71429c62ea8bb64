import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { KernelHistory, kernelSteps } from "./kernel-history.ts";
import { byToken, Listener, picture, shown, summary } from "./pictures.ts";
import { PERIOD, TrackerWorld } from "./tracker-world.ts";

const happening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom(...kernelSteps), pick: fc.nat(11), flag: fc.boolean() }),
  },
  fc.record({ kind: fc.constant("lose" as const), lost: fc.boolean() }),
  fc.record({ kind: fc.constant("turn" as const) }),
  fc.record({ kind: fc.constant("pass" as const), milliseconds: fc.constantFrom(0, 100, PERIOD) }),
);

describe("a tracker", () => {
  it("ends with the truth, whatever happened, whatever was lost, whenever it read", async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { maxLength: 80, size: "max" }),
        fc.nat(20),
        async (happenings, before) => {
          const world = new TrackerWorld(t);
          const listener = new Listener();
          world.onChange = (change) => listener.hear(change);
          const kernel = new KernelHistory();
          // A list is of the moment at which it was asked for, and comes later.
          world.sockets.onDump = () => turn().then(() => turn());
          let isDeaf = false;
          let over: Promise<void> | undefined;
          for (const [index, one] of happenings.entries()) {
            if (index === before) over = world.tracker.takeOver();
            if (one.kind === "turn") await turn();
            else if (one.kind === "pass") world.clock.advance(one.milliseconds);
            else if (one.kind === "lose") {
              if (isDeaf) world.events.overrun();
              isDeaf = one.lost;
            } else {
              const events = kernel.step(one);
              world.sockets.outlines = kernel.outlines();
              if (!isDeaf) world.events.emit(...events);
            }
          }
          if (isDeaf) world.events.overrun();
          await (over ?? world.tracker.takeOver());
          await world.tracker.settled();
          for (let reading = 0; reading < 4; reading++) await world.advance(PERIOD);
          const { table } = world.tracker;
          assert.deepEqual(picture(table).map(shown), kernel.truth().map(shown).toSorted(byToken));
          assert.deepEqual(listener.picture(), summary(table));
          world.tracker.close();
        },
      ),
      { numRuns: 150 },
    );
  });
});
