import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { waitFor } from "../../../../src/lab/kit/wait.ts";
import { definePathManager } from "../../../../src/path-managers/runtime/api.ts";
import { Program } from "../../../../src/path-managers/runtime/exec-program.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { HostBench, recorder } from "./fakes.ts";

describe("a machine that was suspended", () => {
  it("is no reason to take a path manager for slow to begin", async () => {
    const quick = definePathManager({
      name: "quick",
      setup: async (pm) => {
        for (let step = 0; step < 4; step++) await pm.sleep(2000);
        return {};
      },
    });
    const bench = new HostBench([quick]);
    const started = bench.start();
    await bench.clock.advance(1000);
    bench.clock.block(8 * 3_600_000);
    await bench.clock.advance(9000);
    await started;
    assert.deepEqual(bench.faults, []);
  });

  it("is no reason to give up a subflow: its peer has the rest of its time", async () => {
    const given = recorder();
    const bench = await new HostBench([given.definition]).start();
    bench.connect();
    bench.kernel.answer = () => "silence";
    await bench.settle();
    const [connection] = [...given.pm.connections];
    assert.ok(connection);
    let outcome = "none yet";
    const request = { from: "10.0.2.2", deadline: 5000 };
    void given.pm.createSubflow(connection, request).then(
      () => {
        outcome = "established";
      },
      (error) => {
        outcome = error.code;
      },
    );
    await bench.clock.advance(1000);
    bench.clock.block(8 * 3_600_000);
    await bench.clock.advance(3000);
    assert.equal(outcome, "none yet");
    await bench.clock.advance(1000);
    assert.equal(outcome, "ETIMEDOUT");
  });
});

describe("a program that is asked to end", () => {
  it("has its second to do so while the machine runs, and is killed after it", async () => {
    const clock = new VirtualClock();
    let how: string | undefined;
    const lines: string[] = [];
    const program = new Program(
      ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"],
      {
        line: async (line) => void lines.push(line),
        complaint: () => undefined,
        end: (text) => {
          how = text;
        },
      },
      clock,
    );
    await waitFor("it to run", () => lines.length > 0);
    program.end();
    await clock.advance(400);
    clock.block(60_000);
    await clock.advance(90);
    assert.equal(how, undefined);
    await clock.advance(1000);
    await program.ended;
    await clock.advance(2000);
    await waitFor("its end to be told", () => how);
    assert.equal(how, "was ended by SIGKILL");
  });
});
