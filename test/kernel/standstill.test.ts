import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { Machine } from "../lab/machine.ts";
import { compiled, toolsFor } from "../lab/programs.ts";

/** They wait more than they compute. */
const options = { skip: requires({ tools: [toolsFor.glibc] }), concurrency: 6 };
/** The pause is 6.5 s, a request without an answer takes 7.5 s, and some meet two. */
const patience = { deadlineMs: 40_000 };

const defaultOnly = "[core]\n";
const withThread = "[core]\npath-manager=fullmesh\n";

describe("mptcpd starts though the machine stands still", options, () => {
  for (const [who, config] of [
    ["main", defaultOnly],
    ["other", withThread],
  ] as const)
    for (let request = 1; request <= 6; request++)
      it(`after request ${request} of ${who === "main" ? "the main thread" : "another thread"}`, async (t) => {
        const machine = await launched(t, `${who} pause ${request} ${request}`, config);
        await machine.daemon.waitForLine(/^notice: ready$/, patience);
        assert.deepEqual(machine.problems, []);
        await machine.has("10.0.0.1 eth0 subflow");
        await machine.stop();
      });
});

describe(
  "mptcpd starts though the kernel does not answer at first, and says what it waits for",
  options,
  () => {
    for (const [what, order, config] of [
      ["when it looks for MPTCP", "main lose 1 1", defaultOnly],
      ["when it asks whether it may change endpoints", "other lose 1 1", defaultOnly],
      ["when it reads the network", "main lose 2 3", defaultOnly],
      ["when the path managers' thread looks for MPTCP", "other lose 2 2", withThread],
      ["when the path managers' thread reads the network", "other lose 3 4", withThread],
    ] as const)
      it(what, async (t) => {
        const machine = await launched(t, order, config);
        await machine.daemon.waitForLine(waiting, patience);
        await machine.daemon.waitForLine(
          /^notice: (the path managers' thread: )?the kernel answers again$/,
          patience,
        );
        await machine.daemon.waitForLine(/^notice: ready$/, patience);
        await machine.has("10.0.0.1 eth0 subflow");
        await machine.stop();
      });
  },
);

describe("SIGTERM before mptcpd is ready is a clean stop", options, () => {
  for (const [what, order, config] of [
    ["while the main thread waits for the kernel", "main lose 1 1000", defaultOnly],
    ["while the main thread reads the network", "main lose 2 1000", defaultOnly],
    ["while the path managers' thread waits for the kernel", "other lose 2 1000", withThread],
  ] as const)
    it(what, async (t) => {
      const machine = await launched(t, order, config);
      await machine.daemon.waitForLine(waiting, patience);
      await machine.stop();
      assert.equal(machine.daemon.lines.at(-1), "notice: stopped before it was ready");
      assert.deepEqual(leftIn(machine.runtimeDirectory), []);
      assert.deepEqual(await machine.show(), []);
    });

  it("while it waits for the lock, and the one that has it goes on", async (t) => {
    const machine = await Machine.create(t);
    const first = await machine.start();
    const second = machine.launch();
    await second.waitForLine(/waiting for it to let go$/);
    assert.deepEqual(await second.stop(), { code: 0, signal: null }, second.output);
    await machine.has("10.0.0.1 eth0 subflow");
    assert.equal(first.exit, undefined);
  });
});

describe("the lock of a network namespace that is held for a moment", options, () => {
  it("is waited for, also where the holder takes its time to end", async (t) => {
    const machine = await Machine.create(t, { eth0: ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"] });
    // REMOVE_ADDR are spaced out while there are connections; here it is enough that it has something to do.
    const first = await machine.start({ config: "[core]\non-stop=remove\n" });
    const second = machine.launch();
    await second.waitForLine(/^notice: the process with pid \d+ has the lock of this network namespace/);
    assert.deepEqual(await first.stop(), { code: 0, signal: null });
    await second.waitForLine(/^notice: ready$/);
    await machine.hasEndpointsAt(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    await machine.stop();
  });
});

const waiting =
  /^warning: (the path managers' thread: )?cannot .*: no answer from the kernel in 5000 ms; waiting for the kernel, the next attempt is in \d+ ms$/;

/** Compiled once: the tests run side by side. */
let library: Promise<string> | undefined;

/** With an mptcpd that is on its way, on a machine with this order to stand still. */
async function launched(t: TestContext, order: string, config: string): Promise<Machine> {
  const machine = await Machine.create(t);
  library ??= compiled("standstill", "library");
  machine.launch({ config, env: { LD_PRELOAD: await library, STANDSTILL: order } });
  return machine;
}

/** What is there but files that say nothing. */
function leftIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => {
    const status = statSync(join(directory, name));
    return !status.isFile() || status.size > 0;
  });
}
