import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

describe("a virtual clock", () => {
  it("stands still until it is told to go on", async () => {
    const clock = new VirtualClock();
    const { log, at } = logOf(clock);
    at(5, "five");
    await new Promise(setImmediate);
    assert.equal(clock.now(), 0);
    assert.deepEqual(log, []);
  });

  it("calls back in the order of time, and of equal times in the order of the calls", async () => {
    const clock = new VirtualClock();
    const { log, at } = logOf(clock);
    at(20, "late");
    at(10, "first");
    at(10, "second");
    at(-5, "at once");
    await clock.advance(20);
    assert.deepEqual(log, ["0 at once", "10 first", "10 second", "20 late"]);
  });

  it("lets what follows happen at its own time", async () => {
    const clock = new VirtualClock();
    const { log, at } = logOf(clock);
    clock.schedule(10, () => at(5, "later"));
    at(12, "between");
    await clock.advance(15);
    assert.deepEqual(log, ["12 between", "15 later"]);
  });

  it("lets promises settle before the next callback", async () => {
    const clock = new VirtualClock();
    const { log, at } = logOf(clock);
    clock.schedule(1, () => void Promise.resolve().then(() => log.push("promise")));
    at(1, "callback");
    await clock.advance(1);
    assert.deepEqual(log, ["promise", "1 callback"]);
  });

  it("stops where it was told to, though something is due later", async () => {
    const clock = new VirtualClock();
    const { log, at } = logOf(clock);
    at(10, "due");
    await clock.advance(9);
    assert.equal(clock.now(), 9);
    assert.deepEqual(log, []);
    await clock.advance(1);
    assert.deepEqual(log, ["10 due"]);
  });

  it("does not call back what was cancelled, even by what is due at the same moment", async () => {
    const clock = new VirtualClock();
    const { log } = logOf(clock);
    clock.schedule(3, () => second.cancel());
    const second = clock.schedule(3, () => log.push("cancelled"));
    await clock.advance(3);
    assert.deepEqual(log, []);
  });

  it("is late with what was due while code took long", async () => {
    const clock = new VirtualClock();
    const { log, at } = logOf(clock);
    clock.schedule(1, () => clock.block(100));
    at(2, "due at 2");
    await clock.advance(10);
    assert.deepEqual(log, ["101 due at 2"]);
    assert.equal(clock.now(), 101);
  });

  it("says so when one moment does not end", async () => {
    const clock = new VirtualClock();
    const again = (): void => void clock.schedule(0, again);
    clock.schedule(7, again);
    await assert.rejects(clock.advance(10), /time stands still at 7 ms/);
  });
});

function logOf(clock: VirtualClock) {
  const log: string[] = [];
  const at = (milliseconds: number, what: string): void =>
    void clock.schedule(milliseconds, () => log.push(`${clock.now()} ${what}`));
  return { log, at };
}
