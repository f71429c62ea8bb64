import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HostBench, recorder } from "./fakes.ts";

async function scene() {
  const one = recorder();
  const bench = await new HostBench([one.definition]).start();
  const times: number[] = [];
  return { bench, pm: one.pm, times, note: () => times.push(one.pm.now()) };
}

describe("a path manager's timers", () => {
  it("call once, or again and again, by its own clock", async () => {
    const { bench, pm, times, note } = await scene();
    pm.after(30, note);
    pm.every(20, note);
    await bench.settle(70);
    assert.deepEqual(times, [20, 30, 40, 60]);
  });

  it("are cancelled by what they gave", async () => {
    const { bench, pm, times, note } = await scene();
    pm.after(30, note)();
    const end = pm.every(20, note);
    await bench.settle(50);
    end();
    end();
    await bench.settle(50);
    assert.deepEqual(times, [20, 40]);
  });

  it("may end in their own call", async () => {
    const { bench, pm, times, note } = await scene();
    const end = pm.every(20, () => {
      note();
      if (times.length === 2) end();
    });
    await bench.settle(100);
    assert.deepEqual(times, [20, 40]);
  });

  it("go on after a fault", async () => {
    const { bench, pm, times, note } = await scene();
    pm.every(20, () => {
      note();
      throw new Error("boom");
    });
    await bench.settle(50);
    assert.deepEqual(times, [20, 40]);
    assert.deepEqual(bench.faults, ["recorder 1", "recorder 2"]);
  });

  it("let it sleep", async () => {
    const { bench, pm, times, note } = await scene();
    const slept = pm.sleep(25).then(note);
    await Promise.all([slept, bench.settle(50)]);
    assert.deepEqual(times, [25]);
  });

  it("are none where it was stopped before", async () => {
    const { bench, pm, times, note } = await scene();
    bench.runtime.host.stop();
    pm.after(1, note);
    pm.every(1, note);
    await bench.settle(10);
    assert.deepEqual(times, []);
  });

  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])
    it(`do not take ${wrong} for at once, as setTimeout does`, async () => {
      const { pm } = await scene();
      const refused = { name: "RangeError", message: /is no time to wait: allowed are 0 to 2147483647/ };
      assert.throws(() => pm.after(wrong, () => undefined), refused);
      assert.throws(() => pm.every(wrong, () => undefined), refused);
      await assert.rejects(pm.sleep(wrong), refused);
    });
});
