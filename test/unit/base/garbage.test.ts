import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GarbageCollector } from "../../../src/base/garbage.ts";
import { VirtualClock } from "../../../src/path-managers/simulation/clock.ts";

const MIB = 1024 * 1024;

/** A heap whose collections leave 5 MiB. */
function world(size = 5 * MIB) {
  const clock = new VirtualClock();
  const heap = { size, cpu: 0, collections: 0 };
  const collector = new GarbageCollector(clock, {
    size: () => heap.size,
    cpu: () => heap.cpu,
    collect() {
      heap.collections++;
      heap.size = Math.min(heap.size, 5 * MIB);
    },
  });
  return { clock, heap, collector };
}

describe("garbage", () => {
  it("is collected when there was work and the process rests", async () => {
    const { clock, heap, collector } = world();
    await clock.advance(10_000);
    assert.equal(heap.collections, 0);
    collector.worked();
    await clock.advance(10_000);
    assert.equal(heap.collections, 1);
    heap.size += 2 * MIB;
    collector.worked();
    await clock.advance(10_000);
    assert.equal(heap.collections, 2);
  });

  it("is left alone while the process works", async () => {
    const { clock, heap, collector } = world();
    collector.worked();
    for (let second = 0; second < 5; second++) {
      heap.cpu += 100_000;
      await clock.advance(1000);
    }
    assert.equal(heap.collections, 0);
    await clock.advance(1000);
    assert.equal(heap.collections, 1);
  });

  it("is left alone where there is little of it", async () => {
    const { clock, heap, collector } = world();
    collector.watch();
    await clock.advance(1000);
    heap.size += MIB;
    await clock.advance(10_000);
    assert.equal(heap.collections, 1);
    heap.size += MIB;
    await clock.advance(1000);
    assert.equal(heap.collections, 2);
  });

  it("is left to V8 where the heap is large: that would take long", async () => {
    const { clock, heap, collector } = world(100 * MIB);
    collector.worked();
    await clock.advance(10_000);
    assert.equal(heap.collections, 0);
  });

  it("has nobody look at it once the process rests", async () => {
    const { clock, heap, collector } = world();
    collector.worked();
    await clock.advance(1000);
    heap.size += 2 * MIB;
    await clock.advance(10_000);
    assert.equal(heap.collections, 1);
  });
});
