import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { currentThread, type ThreadUsage, threadUsages } from "../../../../src/kernel/threads.ts";
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
    world.usages.set(THREAD, { runnable: true, ran: 0, waited: 0 });
    await world.clock.advance(30_000);
    assert.deepEqual(world.said, []);
    await world.use(THREAD, { runnable: true, ran: 500, waited: 0 }, 5);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });

  it("is not blocked though it sleeps at each look, if it has waited for a processor in between", async () => {
    const world = new World();
    await world.use(THREAD, { runnable: false, ran: 10, waited: 490 }, 60);
    assert.deepEqual(world.said, []);
  });

  it("is not blocked by another thread that has waited for a processor", async () => {
    const world = new World();
    await world.use(OTHER, { runnable: false, ran: 10, waited: 490 }, 60);
    assert.deepEqual(world.said, []);
  });

  it("is not blocked by another thread that still waits for a processor", async () => {
    const world = new World();
    world.usages.set(OTHER, { runnable: true, ran: 0, waited: 0 });
    await world.clock.advance(30_000);
    assert.deepEqual(world.said, []);
  });

  it("is blocked though others have most of the processor, when it has had its time", async () => {
    const world = new World();
    await world.use(OTHER, { runnable: false, ran: 0, waited: 100 }, 6);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });

  it("is blocked though another thread computes", async () => {
    const world = new World();
    await world.use(OTHER, { runnable: true, ran: 500, waited: 0 }, 5);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });

  it("has all of its time again when it shows in another way that it is alive", async () => {
    const world = new World();
    world.limit = 10_000;
    await world.clock.advance(9000);
    world.watch.restart();
    world.limit = 2000;
    await world.clock.advance(1400);
    assert.deepEqual(world.said, []);
    await world.clock.advance(700);
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
    world.usages.set(THREAD, { runnable: false, ran: 10, waited: 0 });
    await world.clock.advance(2500);
    assert.deepEqual(world.said, ["blocked for 2000 ms"]);
  });
});

describe("what a thread does", () => {
  it("is runnable while it runs, and its time grows with its work", () => {
    const before = threadUsages().get(currentThread());
    for (const end = performance.now() + 50; performance.now() < end; );
    const after = threadUsages().get(currentThread());
    assert.ok(before && after);
    assert.equal(after.runnable, true);
    assert.ok(after.ran > before.ran, `${before.ran} ms, ${after.ran} ms`);
  });

  it("is not known of one that there is not", () => {
    assert.equal(threadUsages().get(0), undefined);
  });
});

const idle: ThreadUsage = { runnable: false, ran: 0, waited: 0 };

/** Numbers of threads: the path managers' one, and another one of the process. */
const [THREAD, OTHER] = [7, 8];

class World {
  readonly clock = new VirtualClock();
  readonly pulse = new Int32Array(Pulse.length);
  readonly said: string[] = [];
  /** Asleep, both. */
  readonly usages = new Map([THREAD, OTHER].map((thread) => [thread, idle]));
  limit = 2000;
  readonly watch = new PulseWatch({
    ...{ pulse: this.pulse, clock: this.clock, limit: () => this.limit, onLook: () => undefined },
    usages: () => new Map(this.usages),
    onBlocked: (limit) => {
      this.said.push(`blocked for ${limit} ms`);
      this.watch.stop();
    },
    onHeld: (held) => this.said.push(`held for ${held} ms`),
  });

  constructor() {
    Atomics.store(this.pulse, Pulse.thread, THREAD);
  }

  /** Lets a thread use so much time between two looks, as often as that. */
  async use(thread: number, { runnable, ran, waited }: ThreadUsage, looks: number): Promise<void> {
    for (let look = 0; look < looks; look++) {
      const before = this.usages.get(thread) ?? idle;
      this.usages.set(thread, { runnable, ran: before.ran + ran, waited: before.waited + waited });
      await this.clock.advance(500);
    }
  }

  /** The thread's own timer, four times a second. */
  async beatFor(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 250) {
      Atomics.add(this.pulse, Pulse.beats, 1);
      await this.clock.advance(250);
    }
  }
}
