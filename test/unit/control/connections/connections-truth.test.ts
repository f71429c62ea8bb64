import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { listedConnections } from "../../../../src/control/connections/from-sock-diag.ts";
import { KernelHistory, kernelSteps, requestSteps, type StepKind } from "./kernel-history.ts";
import { byToken, Listener, picture, shown, sorted, summary } from "./pictures.ts";
import { TableWatch } from "./table-watch.ts";

function histories(kinds: readonly StepKind[]) {
  const step = fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat(11), flag: fc.boolean() });
  return fc.array(step, { maxLength: 60, size: "max" });
}

/** A table together with what a listener has made of its changes. */
function watched(): { readonly watch: TableWatch; readonly listener: Listener } {
  const listener = new Listener();
  return { watch: new TableWatch((change) => listener.hear(change)), listener };
}

describe("the table is what the kernel has", () => {
  it("after every event, whatever happens; and so is what a listener made of its changes", () => {
    fc.assert(
      fc.property(histories([...kernelSteps, ...requestSteps]), (steps) => {
        const { watch, listener } = watched();
        const kernel = new KernelHistory((token, request) => watch.table.connect(watch.get(token), request));
        for (const step of steps) {
          watch.apply(...kernel.step(step));
          assert.deepEqual(picture(watch.table), kernel.truth().map(sorted));
          assert.deepEqual(listener.picture(), summary(watch.table));
        }
        for (const connection of listedConnections(kernel.outlines()))
          assert.equal(
            watch.table.reconcile(connection, () => undefined),
            false,
          );
        assert.deepEqual(picture(watch.table), kernel.truth().map(sorted), "there was nothing to mend");
      }),
      { numRuns: 300 },
    );
  });

  it("after two readings, whatever events were lost; and so is what a listener made of its changes", () => {
    const lossy = fc.tuple(
      histories(kernelSteps),
      fc.array(fc.boolean(), { maxLength: 60, size: "max" }),
      fc.nat(60),
    );
    fc.assert(
      fc.property(lossy, ([steps, losses, prefix]) => {
        const { watch, listener } = watched();
        const kernel = new KernelHistory();
        steps.forEach((step, index) => {
          const events = kernel.step(step);
          if (index < prefix && losses[index] !== true) for (const event of events) watch.table.apply(event);
        });
        const found = [...listedConnections(kernel.outlines())];
        watch.read(...found);
        assert.deepEqual(listener.picture(), summary(watch.table));
        assert.ok(watch.read(...found), "after two nothing is missing");
        assert.deepEqual(picture(watch.table).map(shown), kernel.truth().map(shown).toSorted(byToken));
        assert.deepEqual(listener.picture(), summary(watch.table));
        watch.told();
        watch.read(...found);
        assert.deepEqual(watch.told(), [], "a third one changes nothing");
      }),
      { numRuns: 500 },
    );
  });
});
