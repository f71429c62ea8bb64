import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PluginWorker } from "../../../../src/path-managers/runtime/worker.ts";
import { FakeThread, input, prepared } from "./fake-thread.ts";

/** Thirty seconds, and ten for the one source. */
const LOADING = 40_000;

describe("whoever waits for a thread of path managers", () => {
  it("hears when it has not loaded everything in time", async () => {
    const { thread, worker } = start();
    const outcome = assert.rejects(worker.prepare(), /the path managers' thread was not ready in 40 s/);
    await thread.clock.advance(LOADING + 3000);
    await outcome;
    assert.ok(thread.isTerminated);
  });

  it("does not take it for late because the machine was suspended meanwhile", async () => {
    const { thread, worker } = start();
    const outcome = worker.prepare();
    for (let night = 0; night < 3; night++) {
      await thread.clock.advance(1000);
      thread.clock.block(8 * 3_600_000);
    }
    await thread.clock.advance(1000);
    thread.say(prepared);
    assert.equal(await outcome, prepared);
    await worker.stop();
  });

  it("waits as long as the kernel takes once everything is loaded", async () => {
    const { thread, worker } = start();
    const outcome = worker.prepare();
    thread.say({ kind: "loaded", plugins: prepared.plugins });
    await thread.clock.advance(100 * LOADING);
    thread.say(prepared);
    assert.equal(await outcome, prepared);
    await worker.stop();
  });

  it("has the time to end counted while the machine runs, and ends it then", async () => {
    const { thread, worker } = start();
    const outcome = worker.prepare();
    thread.say(prepared);
    await outcome;
    thread.isDeaf = true;
    const stopped = worker.stop();
    await thread.clock.advance(1000);
    thread.clock.block(60_000);
    await thread.clock.advance(400);
    assert.equal(thread.isTerminated, false);
    await thread.clock.advance(1000);
    await stopped;
    assert.equal(thread.isTerminated, true);
  });

  it("does not wait longer for one that takes over than 5 s in which the machine ran", async () => {
    const { thread, worker } = start();
    let isOver = false;
    const outcome = worker.prepare();
    thread.say(prepared);
    await outcome;
    const taken = worker.takeOver().then(() => {
      isOver = true;
    });
    thread.clock.block(60_000);
    await thread.clock.advance(4000);
    assert.equal(isOver, false);
    await thread.clock.advance(1500);
    await taken;
    await worker.stop();
  });
});

function start(): { readonly thread: FakeThread; readonly worker: PluginWorker } {
  const thread = new FakeThread();
  const events = { message: () => undefined, failed: () => undefined };
  return { thread, worker: new PluginWorker(input, events, thread) };
}
