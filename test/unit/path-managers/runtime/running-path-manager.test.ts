import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePathManager, type Handlers } from "../../../../src/path-managers/runtime/api.ts";
import { HostBench, recorder } from "./fakes.ts";

/** Whose handler for connections takes so many milliseconds. */
async function slow(milliseconds: number): Promise<HostBench> {
  const setup = (): Handlers => ({
    connectionEstablished: () => bench.clock.block(milliseconds),
  });
  const bench = await new HostBench([definePathManager({ name: "slow", setup })]).start();
  return bench;
}

describe("a handler", () => {
  it("is watched while it runs, so that another thread can see who does not come back", async () => {
    const bench = await new HostBench([recorder().definition]).start();
    assert.deepEqual(bench.watched.slice(0, 4), ["recorder setup", "-", "recorder newInterface", "-"]);
    bench.watched.length = 0;
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.watched, [
      ...["recorder newConnection", "-", "recorder connectionEstablished", "-"],
    ]);
  });

  it("finds its own object in this", async () => {
    const seen: unknown[] = [];
    const handlers: Handlers & { readonly mark: string } = {
      mark: "it",
      newConnection() {
        seen.push(this);
      },
    };
    const definition = definePathManager({ name: "object", setup: () => handlers });
    const bench = await new HostBench([definition]).start();
    bench.connect();
    await bench.settle();
    assert.deepEqual(seen, [handlers]);
  });

  it("of an event that there is not is reported", async () => {
    const setup = () => ({ newConnection() {}, onNewSubflow() {}, count: 3 });
    const bench = await new HostBench([definePathManager({ name: "hasty", setup })]).start();
    assert.deepEqual(bench.lines, ["warning: hasty: there is no event onNewSubflow"]);
  });

  it("that is slow is blamed once a minute", async () => {
    const bench = await slow(100);
    bench.connect();
    bench.connect();
    await bench.settle();
    const blame = "warning: slow: connectionEstablished took 100 ms, in which no other event was handled";
    assert.deepEqual(bench.lines, [blame]);
    await bench.settle(60_000);
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.lines, [blame, blame]);
  });

  it("that takes less than a tenth of a second is not", async () => {
    const bench = await slow(99);
    bench.connect();
    await bench.settle();
    assert.deepEqual(bench.lines, []);
  });

  it("logs by the name of its path manager", async () => {
    const one = recorder({ name: "wifi" });
    const bench = await new HostBench([one.definition]).start();
    one.pm.log.notice("here", { PLACE: "x" });
    assert.deepEqual(bench.lines, ["notice: wifi: here"]);
  });
});
