import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { every } from "../../../src/base/clock.ts";
import { late, pollFor, RunningClock, stopwatch, within } from "../../../src/base/deadlines.ts";
import { VirtualClock } from "../../../src/path-managers/simulation/clock.ts";

describe("the clock for deadlines", () => {
  it("calls back at its time while the machine runs", async () => {
    for (const milliseconds of [0, 1, 249, 250, 251, 5000]) {
      const { clock, due } = scheduled(milliseconds);
      await clock.advance(Math.max(milliseconds - 1, 0));
      if (milliseconds > 0) assert.deepEqual(due, []);
      await clock.advance(1);
      assert.deepEqual(due, [milliseconds]);
    }
  });

  it("does not count a pause, however long it was and whenever it came", async () => {
    for (const at of [0, 100, 2500, 4400]) {
      const { clock, due } = scheduled(5000);
      await clock.advance(at);
      clock.block(3_600_000);
      await clock.advance(5000 - at - 501);
      assert.deepEqual(due, [], `pause after ${at} ms`);
      await clock.advance(501 + 1);
      assert.equal(due.length, 1, `pause after ${at} ms`);
    }
  });

  it("counts half a second at most of each of many pauses", async () => {
    const { clock, due } = scheduled(5000);
    for (let pause = 0; pause < 6; pause++) {
      clock.block(60_000);
      await clock.advance(10);
    }
    assert.deepEqual(due, []);
  });

  it("counts the time of a loop that is slow, but runs", async () => {
    const { clock, due } = scheduled(5000);
    for (let turn = 0; turn < 13; turn++) {
      clock.block(400);
      await clock.advance(1);
    }
    assert.equal(due.length, 1);
  });

  it("never runs backwards", async () => {
    const clock = new VirtualClock();
    const running = new RunningClock(clock);
    const timer = running.schedule(10_000, () => undefined);
    let last = running.now();
    for (const pause of [0, 3000, 100, 499, 501, 10_000]) {
      clock.block(pause);
      assert.ok(running.now() >= last);
      last = running.now();
      await clock.advance(130);
      assert.ok(running.now() >= last);
      last = running.now();
    }
    timer.cancel();
    assert.ok(running.now() >= last);
  });

  it("does not call back what was cancelled, and then leaves the other clock alone", async () => {
    const clock = new VirtualClock();
    const schedule = clock.schedule.bind(clock);
    let open = 0;
    clock.schedule = (milliseconds, callback) => {
      open++;
      const timer = schedule(milliseconds, () => {
        open--;
        callback();
      });
      return {
        cancel: () => {
          open--;
          timer.cancel();
        },
      };
    };
    const running = new RunningClock(clock);
    const timer = running.schedule(1000, () => assert.fail("was cancelled"));
    await clock.advance(600);
    timer.cancel();
    timer.cancel();
    assert.equal(open, 0);
    await clock.advance(1000);
  });
});

describe("what is done again and again", () => {
  it("comes at equal distances, until it is cancelled, by itself if need be", async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const timer = every(clock, 250, () => {
      times.push(clock.now());
      if (times.length === 3) timer.cancel();
    });
    await clock.advance(2000);
    assert.deepEqual(times, [250, 500, 750]);
  });
});

describe("a deadline for a promise", () => {
  it("gives what the promise gives, or that it is late", async () => {
    const clock = new VirtualClock();
    assert.equal(await within(clock, 10, Promise.resolve("done")), "done");
    await assert.rejects(within(clock, 10, Promise.reject(new Error("failed"))), /failed/);
    const outcome = within(clock, 10, new Promise(() => undefined));
    await clock.advance(10);
    assert.equal(await outcome, late);
  });
});

describe("a stopwatch", () => {
  it("tells how long something took, without the pause in it", async () => {
    const clock = new VirtualClock();
    const stop = stopwatch(clock);
    await clock.advance(700);
    clock.block(60_000);
    await clock.advance(300);
    const took = stop();
    assert.ok(took >= 1000 && took <= 1500, `${took} ms`);
  });
});

describe("whoever polls until something is so", () => {
  it("hears when it is, and when it is not within the deadline", async () => {
    const clock = new VirtualClock();
    let isSo = false;
    const yes = pollFor(() => isSo, { intervalMs: 10, deadlineMs: 100, clock });
    await clock.advance(50);
    isSo = true;
    await clock.advance(10);
    assert.equal(await yes, true);
    const no = pollFor(() => false, { intervalMs: 10, deadlineMs: 100, clock });
    await clock.advance(120);
    assert.equal(await no, false);
  });

  it("goes on after a pause of the machine, and looks once more before it gives up", async () => {
    const clock = new VirtualClock();
    let isSo = false;
    const outcome = pollFor(() => isSo, { intervalMs: 10, deadlineMs: 1000, clock });
    await clock.advance(100);
    clock.block(60_000);
    await clock.advance(100);
    isSo = true;
    await clock.advance(10);
    assert.equal(await outcome, true);
  });

  it("stops when it is told to", async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const { signal } = abort;
    const outcome = pollFor(() => false, { intervalMs: 10, deadlineMs: 1000, clock, signal });
    abort.abort(new Error("enough"));
    await Promise.all([assert.rejects(outcome, /enough/), clock.advance(10)]);
  });
});

/** A callback that is due on a RunningClock, and when it came. */
function scheduled(milliseconds: number): { readonly clock: VirtualClock; readonly due: number[] } {
  const clock = new VirtualClock();
  const due: number[] = [];
  new RunningClock(clock).schedule(milliseconds, () => due.push(clock.now()));
  return { clock, due };
}
