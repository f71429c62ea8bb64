import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { currentThread, type ThreadUsage, threadUsage } from "../../../../src/kernel/threads.ts";
import { Pulse, PulseWatch } from "../../../../src/path-managers/runtime/pulse.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

describe("a thread of path managers", () => {
  it("is not blocked while its pulse beats", async () => {
    const world = new World();
    await world.beatFor(60_000);
    assert.deepEqual(world.said, []);
  });

  it("is blocked when its pulse stops for 2 s while this one runs", async () => {
    const world = new World();
    await world.beatFor(1000);
    await world.clock.advance(1900);
    assert.deepEqual(world.said, []);
    await world.clock.advance(700);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });

  it("is not blocked because the machine was suspended, as often as that happens", async () => {
    const world = new World();
    for (let night = 0; night < 10; night++) {
      await world.beatFor(1000);
      world.clock.block(8 * 3_600_000);
      // It has not had its turn yet when this thread looks.
      await world.clock.advance(600);
    }
    assert.deepEqual(world.said, []);
  });

  it("has all of its time again after a suspension, and is blocked when that is over", async () => {
    const world = new World();
    await world.beatFor(1000);
    await world.clock.advance(1500);
    world.clock.block(8 * 3_600_000);
    await world.clock.advance(1900);
    assert.deepEqual(world.said, []);
    await world.clock.advance(700);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });

  it("begins anew with each beat: pauses of less than 2 s do not add up", async () => {
    const world = new World();
    for (let time = 0; time < 20; time++) {
      await world.beatFor(250);
      await world.clock.advance(1500);
    }
    assert.deepEqual(world.said, []);
  });

  it("is not blocked because others have the processor: it has as much time as it gets", async () => {
    const world = new World();
    world.usage = { runnable: true, ran: 0 };
    await world.clock.advance(30_000);
    assert.deepEqual(world.said, []);
    for (let look = 0; look < 5; look++) {
      world.usage = { runnable: true, ran: world.usage.ran + 500 };
      await world.clock.advance(500);
    }
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });

  it("is not blocked because the kernel holds its request, which is told once each time", async () => {
    const world = new World();
    for (let time = 0; time < 2; time++) {
      Atomics.store(world.pulse, Pulse.request, 1);
      await world.clock.advance(60_000);
      Atomics.store(world.pulse, Pulse.request, 0);
      await world.beatFor(1000);
    }
    assert.deepEqual(world.said, ["held for 2000 ms", "held for 2000 ms"]);
  });

  it("is blocked in a system call of its own, which no processor has to do with", async () => {
    const world = new World();
    world.usage = { runnable: false, ran: 10 };
    await world.clock.advance(2500);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });
});

describe("what a thread does", () => {
  it("is runnable while it runs, and its time grows with its work", () => {
    const before = threadUsage(currentThread());
    for (const end = performance.now() + 50; performance.now() < end; );
    const after = threadUsage(currentThread());
    assert.ok(before && after);
    assert.equal(after.runnable, true);
    assert.ok(after.ran > before.ran, `${before.ran} ms, ${after.ran} ms`);
  });

  it("is not known of one that there is not", () => {
    assert.equal(threadUsage(0), undefined);
  });
});

class World {
  readonly clock = new VirtualClock();
  readonly pulse = new Int32Array(Pulse.length);
  readonly said: string[] = [];
  usage: ThreadUsage = { runnable: false, ran: 0 };

  constructor() {
    const watch = new PulseWatch({
      ...{ pulse: this.pulse, clock: this.clock, limit: () => 2000, onLook: () => undefined },
      usageOf: () => this.usage,
      onBlocked: (limit) => {
        this.said.push(`blocked for ${limit} ms`);
        watch.stop();
      },
      onHeld: (held) => this.said.push(`held for ${held} ms`),
    });
  }

  /** The thread's own timer, four times a second. */
  async beatFor(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 250) {
      Atomics.add(this.pulse, Pulse.beats, 1);
      await this.clock.advance(250);
    }
  }
}
